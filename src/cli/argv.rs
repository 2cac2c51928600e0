//! One pass over the arguments before `argh` sees them: `--opt=value`, `-ojson`, global flags
//! anywhere, `--`, `--version`, `-h`, and a suggestion for what was mistyped.
//!
//! `argh` gets a canonical form, `path... --option value... -- positional...`, in which nothing can
//! be read in two ways: a peer may be called `help`, and a name may begin with `-`.

use super::args::{Command, Globals, Top};
use super::fail::{Fail, Outcome};
use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, FromArgs};

/// What the arguments ask for.
#[derive(Debug, PartialEq)]
pub enum Asked {
    Run(Globals, Box<Command>),
    Help(String),
    Version,
}

/// Reads the arguments after the program's name.
pub fn parse(args: &[String]) -> Outcome<Asked> {
    let top = Top::get_args_info();
    let split = Splitter::new(&top).split(args)?;
    if split.version {
        return Ok(Asked::Version);
    }
    if split.help {
        return Ok(Asked::Help(help_text(&split.path)));
    }
    if !split.level.commands.is_empty() {
        return Err(no_command(split.level, &split.path));
    }
    let globals = read::<Globals>(&split.globals, &split.path)?;
    let top = read::<Top>(&split.canonical(), &split.path)?;
    Ok(Asked::Run(globals, Box::new(top.command)))
}

/// The arguments, sorted into kinds.
struct Splitter<'a> {
    /// The command that the words so far lead to.
    level: &'a CommandInfoWithArgs,
    global_flags: &'static [FlagInfo<'static>],
    path: Vec<String>,
    globals: Vec<String>,
    options: Vec<String>,
    positionals: Vec<String>,
    help: bool,
    version: bool,
}

impl<'a> Splitter<'a> {
    fn new(top: &'a CommandInfoWithArgs) -> Splitter<'a> {
        Splitter {
            level: top,
            global_flags: Globals::get_args_info().flags,
            path: Vec::new(),
            globals: Vec::new(),
            options: Vec::new(),
            positionals: Vec::new(),
            help: false,
            version: false,
        }
    }

    fn split(mut self, args: &[String]) -> Outcome<Self> {
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                self.positionals.extend(rest.cloned());
                break;
            } else if let Some(long) = arg.strip_prefix("--") {
                self.long(long, &mut rest)?;
            } else if arg.len() > 1 && arg.starts_with('-') {
                self.short(&arg[1..], &mut rest)?;
            } else {
                self.word(arg)?;
            }
        }
        Ok(self)
    }

    fn long(&mut self, text: &str, rest: &mut std::slice::Iter<String>) -> Outcome<()> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (text, None),
        };
        match name {
            "help" => self.help = true,
            "version" => self.version = true,
            _ => {
                let long = format!("--{name}");
                let (global, flag) = self
                    .find(|flag| flag.long == long)
                    .ok_or_else(|| self.unknown_flag(&long))?;
                self.take(global, flag, value, rest)?;
            }
        }
        Ok(())
    }

    /// A cluster of short flags; the value of one may follow in the same word, with or without `=`.
    fn short(&mut self, text: &str, rest: &mut std::slice::Iter<String>) -> Outcome<()> {
        for (at, letter) in text.char_indices() {
            match letter {
                'h' => self.help = true,
                'V' => self.version = true,
                _ => {
                    let (global, flag) = self
                        .find(|flag| flag.short == Some(letter))
                        .ok_or_else(|| self.unknown_flag(&format!("-{letter}")))?;
                    let tail = &text[at + letter.len_utf8()..];
                    if is_switch(flag) {
                        self.take(global, flag, None, rest)?;
                        continue;
                    }
                    let value = tail.strip_prefix('=').unwrap_or(tail);
                    let value = (!tail.is_empty()).then(|| value.to_string());
                    return self.take(global, flag, value, rest);
                }
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> Outcome<()> {
        if self.level.commands.is_empty() {
            self.positionals.push(word.to_string());
            return Ok(());
        }
        if word == "help" && self.path.is_empty() {
            self.help = true;
            return Ok(());
        }
        let name = match (self.path.is_empty(), word) {
            (true, "peer") => "peers",
            (true, "service") => "services",
            _ => word,
        };
        let found = self.level.commands.iter().find(|c| c.name == name);
        let command = found.ok_or_else(|| unknown_command(self.level, &self.path, word))?;
        self.path.push(command.name.to_string());
        self.level = &command.command;
        Ok(())
    }

    /// A flag of the command itself goes before a global one.
    fn find(&self, is: impl Fn(&FlagInfo) -> bool) -> Option<(bool, &'a FlagInfo<'static>)> {
        let own = self.level.flags.iter().find(|flag| is(flag));
        let global = || self.global_flags.iter().find(|flag| is(flag));
        own.map(|flag| (false, flag))
            .or_else(|| global().map(|flag| (true, flag)))
    }

    fn take(
        &mut self,
        global: bool,
        flag: &FlagInfo,
        value: Option<String>,
        rest: &mut std::slice::Iter<String>,
    ) -> Outcome<()> {
        let into = match global {
            true => &mut self.globals,
            false => &mut self.options,
        };
        into.push(flag.long.to_string());
        match (is_switch(flag), value) {
            (true, None) => {}
            (true, Some(_)) => return Err(Fail::usage(format!("{} takes no value", flag.long))),
            (false, Some(value)) => into.push(value),
            (false, None) => {
                let missing = || Fail::usage(format!("{} needs a value", flag.long));
                into.push(rest.next().ok_or_else(missing)?.clone());
            }
        }
        Ok(())
    }

    fn unknown_flag(&self, given: &str) -> Fail {
        let own = self.level.flags.iter().filter(|flag| !flag.hidden);
        let known = own
            .chain(self.global_flags)
            .map(|flag| flag.long)
            .chain(["--help", "--version"]);
        let fail = Fail::usage(format!("unknown flag {}", super::output::clean(given)));
        fail.hint(match nearest(given, known) {
            Some(flag) => format!("did you mean {flag}?"),
            None => see_help(&self.path),
        })
    }

    fn canonical(&self) -> Vec<String> {
        let mut args = self.path.clone();
        args.extend(self.options.iter().cloned());
        args.push("--".into());
        args.extend(self.positionals.iter().cloned());
        args
    }
}

fn is_switch(flag: &FlagInfo) -> bool {
    matches!(flag.kind, FlagInfoKind::Switch)
}

fn see_help(path: &[String]) -> String {
    format!("see '{} --help'", command_line(path))
}

fn command_line(path: &[String]) -> String {
    std::iter::once("arctic")
        .chain(path.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(" ")
}

fn no_command(level: &CommandInfoWithArgs, path: &[String]) -> Fail {
    let names: Vec<&str> = level.commands.iter().map(|c| c.name).collect();
    Fail::usage(format!("'{}' needs a command", command_line(path))).hint(format!(
        "one of {}; {}",
        names.join(", "),
        see_help(path)
    ))
}

/// Words of other programs for what ours calls differently.
const SYNONYMS: &[(&str, &str)] = &[
    ("rm", "delete"),
    ("remove", "delete"),
    ("ls", "list"),
    ("show", "get"),
    ("rename", "update"),
    ("join", "add"),
    ("leave", "remove-self"),
    ("new", "create"),
    ("init", "bootstrap"),
    ("status", "cluster"),
    ("use", "use-peer"),
];

fn unknown_command(level: &CommandInfoWithArgs, path: &[String], word: &str) -> Fail {
    let names = || level.commands.iter().map(|c| c.name);
    let synonym = SYNONYMS
        .iter()
        .find(|(theirs, ours)| *theirs == word && names().any(|name| name == *ours))
        .map(|(_, ours)| *ours);
    let fail = Fail::usage(format!(
        "unknown command '{}'",
        command_line(&[path, &[super::output::clean(word)]].concat())
    ));
    fail.hint(match synonym.or_else(|| nearest(word, names())) {
        Some(name) => format!(
            "did you mean '{}'?",
            command_line(&[path, &[name.to_string()]].concat())
        ),
        None => see_help(path),
    })
}

/// The word that is at most a third of its letters away.
fn nearest<'w>(given: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    // Whoever types more than this did not mistype a word of ours.
    if given.len() > 64 {
        return None;
    }
    let far = |word: &str| word.chars().filter(|c| *c != '-').count().div_ceil(3);
    known
        .map(|word| (distance(given, word), word))
        .filter(|(d, word)| *d <= far(word).max(1))
        .min_by_key(|(d, _)| *d)
        .map(|(_, word)| word)
}

/// How many letters to insert, delete, replace or swap (Damerau, restricted).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

fn read<T: FromArgs>(args: &[String], path: &[String]) -> Outcome<T> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    T::from_args(&["arctic"], &args).map_err(|exit| {
        let words: Vec<&str> = exit.output.split_whitespace().collect();
        let sentence = words.join(" ").replace("Error parsing", "cannot read");
        Fail::usage(super::output::clean(&lower_first(&sentence))).hint(see_help(path))
    })
}

fn lower_first(sentence: &str) -> String {
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

fn help_text(path: &[String]) -> String {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let own = help_of::<Top>(&args);
    let global = help_of::<Globals>(&["--help"]);
    let flags = global.split_once("Options:\n").map_or("", |(_, f)| f);
    let flags: String = flags
        .lines()
        .filter(|line| !line.contains("--help"))
        .map(|line| format!("{line}\n"))
        .collect();
    format!("{own}\nOptions of all commands:\n{flags}  -V, --version     print the version\n")
}

fn help_of<T: FromArgs>(args: &[&str]) -> String {
    match T::from_args(&["arctic"], args) {
        Err(exit) => exit.output,
        // `--help` always ends the parsing early.
        Ok(_) => String::new(),
    }
}

#[cfg(test)]
#[path = "argv_tests.rs"]
mod tests;
