//! The man pages are held to the code: every command, flag, example, exit status and error code. The paths,
//! variables and files that they name are held by a test of real agents.

use super::args::{Globals, Top};
use super::fail::Exit;
use argh::{ArgsInfo, CommandInfoWithArgs};

const ARCTIC: &str = include_str!("../../man/arctic.1");
const AGENT: &str = include_str!("../../man/arctic-agent.8");
const README: &str = include_str!("../../README.md");

/// A page as words, without the requests of mdoc.
fn words(page: &str) -> String {
    let words: Vec<&str> = page
        .split_whitespace()
        .filter(|w| !matches!(*w, "Oo" | "Oc" | ".Op" | "Xo"))
        .collect();
    format!(" {} ", words.join(" "))
}

/// Every command that can be run, with the words that lead to it.
fn leaves(command: &CommandInfoWithArgs, path: &str, found: &mut Vec<(String, Vec<String>)>) {
    if command.commands.is_empty() {
        let flags = command
            .flags
            .iter()
            .filter(|f| !f.hidden && f.long != "--help");
        found.push((
            path.into(),
            flags.map(|f| f.long[2..].to_string()).collect(),
        ));
    }
    for sub in &command.commands {
        leaves(
            &sub.command,
            format!("{path} {}", sub.name).trim_start(),
            found,
        );
    }
}

fn all() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    leaves(&Top::get_args_info(), "", &mut found);
    found
}

/// What the page says of a command: from its own line to the next one.
fn section<'p>(page: &'p str, command: &str) -> &'p str {
    let at = ["Cm", ".Cm"]
        .iter()
        .find_map(|mark| page.find(&format!(" .It {mark} {command} ")));
    let Some(at) = at else {
        panic!("the page does not tell of '{command}'");
    };
    let rest = &page[at + 4..];
    let end = [" .It ", " .El "]
        .iter()
        .filter_map(|mark| rest.find(mark))
        .min();
    &rest[..end.unwrap_or(rest.len())]
}

/// The same for a command of the other page, which has it in its synopsis.
fn synopsis<'p>(page: &'p str, command: &str) -> &'p str {
    let begin = format!(" .Nm arctic {command} ");
    let Some((_, rest)) = page.split_once(begin.as_str()) else {
        panic!("the page does not tell of '{command}'");
    };
    let ends = [" .Nm ", " .Sh "].iter().filter_map(|mark| rest.find(mark));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// The flags that a text names. A bare `--` is told of too: what follows it is none.
fn flags_in(text: &str) -> Vec<&str> {
    let words = text.split("Fl Fl ").skip(1);
    let first = words.filter_map(|rest| rest.split_whitespace().next());
    let plain = |flag: &&str| flag.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    first.filter(plain).filter(|flag| *flag != "are").collect()
}

fn globals() -> Vec<String> {
    let flags = Globals::get_args_info().flags;
    flags.iter().map(|f| f.long[2..].into()).collect()
}

#[test]
fn every_command_and_flag_is_told_of_and_takes_what_it_is_told_to_take() {
    let (arctic, agent) = (words(ARCTIC), words(AGENT));
    for (command, flags) in all() {
        let section = match command.starts_with("agent ") {
            true => synopsis(&agent, &command),
            false => section(&arctic, &command),
        };
        let told = flags_in(section);
        for flag in &flags {
            assert!(told.contains(&flag.as_str()), "{command} --{flag}");
        }
        for flag in told {
            let known = flags.iter().chain(&globals()).any(|f| f == flag);
            assert!(known, "{command} takes no --{flag}");
        }
    }
    for flag in globals() {
        let wanted = format!("Fl Fl {flag}");
        assert!(arctic.contains(&wanted), "{wanted}");
    }
}

#[test]
fn no_flag_is_told_of_that_does_not_exist() {
    let mut known: Vec<String> = all().into_iter().flat_map(|(_, flags)| flags).collect();
    known.extend(globals());
    known.extend(["help", "version", "option"].map(String::from));
    for page in [words(ARCTIC), words(AGENT)] {
        for flag in flags_in(&page) {
            assert!(known.iter().any(|k| k == flag), "--{flag}");
        }
    }
}

/// The command lines that a page shows: what a shell would be given, and what stands in backquotes.
fn examples(page: &str) -> Vec<String> {
    let page = page.replace("\\e\n", " ").replace(" \\\n", " ");
    let prompt = |line: &str| {
        let line = line
            .trim_start_matches(".Dl ")
            .trim_start_matches(['$', '#', ' ']);
        line.starts_with("arctic ").then(|| line.to_string())
    };
    let in_shell = page.lines().filter_map(prompt);
    let in_words = ["`", "$("].into_iter().flat_map(|open| {
        let rest = page.split(open).skip(1);
        let spans = rest.filter_map(|rest| rest.split(['`', ')']).next());
        spans
            .filter(|span| span.starts_with("arctic "))
            .map(String::from)
    });
    in_shell.chain(in_words).collect()
}

#[test]
fn what_pages_show_is_what_the_command_line_takes() {
    let shown: Vec<String> = [ARCTIC, AGENT, README]
        .into_iter()
        .flat_map(examples)
        .collect();
    assert!(shown.len() > 15, "{shown:?}");
    for line in shown {
        // Where the result goes and what is said about it is the shell's and the reader's.
        let own = line.split(['>', '#']).next().unwrap_or("");
        let args: Vec<String> = own.split_whitespace().skip(1).map(String::from).collect();
        let asked = super::argv::parse(&args);
        assert!(asked.is_ok(), "{line}: {}", asked.unwrap_err());
    }
}

#[test]
fn every_error_code_has_its_row() {
    let rows: Vec<(&str, &str)> = ARCTIC
        .lines()
        .filter_map(|line| line.strip_prefix(".It Li "))
        .filter_map(|line| {
            let (code, rest) = line.split_once(" Ta ")?;
            let (status, meaning) = rest.split_once(" Ta ")?;
            (meaning.len() > 10).then_some((code, status))
        })
        .collect();
    let table: Vec<(&str, String)> = crate::domain::error::TABLE
        .iter()
        .map(|row| (row.name, row.http_status.to_string()))
        .collect();
    let table: Vec<(&str, &str)> = table.iter().map(|(n, s)| (*n, s.as_str())).collect();
    assert_eq!(rows, table);
}

#[test]
fn every_exit_status_is_told_of() {
    let status = ARCTIC.split(".Sh EXIT STATUS").nth(1).unwrap_or("");
    for exit in Exit::Done as u8..=Exit::Partly as u8 {
        assert!(status.contains(&format!("\n.It {exit}\n")), "{exit}");
    }
}

#[test]
fn hints_name_commands_that_exist() {
    let commands = all();
    for row in crate::domain::error::TABLE {
        for quoted in row.hint.split('\'').skip(1).step_by(2) {
            let Some(line) = quoted.strip_prefix("arctic ") else {
                continue;
            };
            let known = |(command, _): &&(String, Vec<String>)| line.starts_with(command.as_str());
            assert!(commands.iter().find(known).is_some(), "{line}");
            for flag in line.split(" --").skip(1) {
                let flag = flag.split(' ').next().unwrap_or("");
                let own = commands
                    .iter()
                    .any(|(_, flags)| flags.iter().any(|f| f == flag));
                assert!(own || flag == "url", "{line}: --{flag}");
            }
        }
    }
}
