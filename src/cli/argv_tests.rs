use super::*;
use crate::cli::args::*;
use crate::cli::fail::Exit;
use proptest::prelude::*;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

fn run(text: &str) -> (Globals, Command) {
    match parse(&words(text)) {
        Ok(Asked::Run(globals, command)) => (globals, *command),
        other => panic!("{text}: {other:?}"),
    }
}

fn usage(text: &str) -> Fail {
    let Err(fail) = parse(&words(text)) else {
        panic!("{text} was taken")
    };
    assert_eq!(fail.exit, Exit::Usage, "{text}");
    fail
}

#[test]
fn one_meaning_in_every_spelling() {
    let plain = run("peers update p --name n --output json --url http://a:1");
    for text in [
        "peers update p --name=n -o json --url=http://a:1",
        "peer update --name n p -ojson --url http://a:1",
        "-o=json --url http://a:1 peers --output=json update p --name n",
        "--url http://a:1 peers update --name n -o json -- p",
    ] {
        if text.contains("--output=json") {
            usage(text); // An option given twice is a mistake.
            continue;
        }
        assert_eq!(run(text), plain, "{text}");
    }
    let (globals, _) = run("-jy peers list --local");
    assert!(globals.json && globals.yes);
}

#[test]
fn words_that_look_like_something_else() {
    let get = |id: &str| {
        Command::Peers(Peers {
            what: PeersWhat::Get(PeersGet { id: id.into() }),
        })
    };
    assert_eq!(run("peers get help").1, get("help"));
    assert_eq!(run("peers get -- --name").1, get("--name"));
    assert_eq!(run("peers get -- --").1, get("--"));
    assert_eq!(run("peers get -").1, get("-"));
}

#[test]
fn mistakes_are_usage_errors_with_a_hint() {
    for (text, hint) in [
        ("", "bootstrap"),
        ("pers list", "'arctic peers'"),
        ("peers lsit", "'arctic peers list'"),
        ("peers rm x", "'arctic peers delete'"),
        ("peers", "remove-self"),
        ("peers list --remot", "--remote"),
        ("peers list --outptu json", "--output"),
        ("peers list -x", "--help"),
        ("frobnicate", "--help"),
        ("peers get", "--help"),
        ("peers get a b", "--help"),
        ("peers list -o yaml", "--help"),
        ("bootstrap --url http://a:1", "--help"),
    ] {
        let fail = usage(text);
        assert!(
            fail.hint.as_deref().unwrap_or("").contains(hint),
            "{text}: {fail:?}"
        );
    }
    assert_eq!(usage("peers get a --url").sentence, "--url needs a value");
    assert_eq!(usage("peers list --yes=1").sentence, "--yes takes no value");
    usage("peers list --timeout 0");
    usage("dev --agents 0");
    usage("--name n bootstrap --license-file f");
}

#[test]
fn help_and_version_anywhere() {
    for text in [
        "-h",
        "--help",
        "help",
        "peers -h",
        "help peers",
        "peers list --help",
        "-jh",
    ] {
        let Ok(Asked::Help(help)) = parse(&words(text)) else {
            panic!("{text}")
        };
        assert!(
            help.contains("Usage: arctic") && help.contains("--context"),
            "{help}"
        );
        assert!(!help.contains("die-with-stdin"));
    }
    for text in ["--version", "-V", "peers --version"] {
        assert_eq!(parse(&words(text)), Ok(Asked::Version), "{text}");
    }
}

fn value() -> impl Strategy<Value = String> {
    // Values that try to be something else: flags, equals signs, commands, nothing.
    prop_oneof![
        "[a-z=-]{0,8}",
        Just("--".to_string()),
        Just("help".to_string()),
        Just("--name=x".to_string()),
        "\\PC{0,6}",
    ]
}

proptest! {
    /// Global flags mean the same wherever they stand, whatever their values look like.
    #[test]
    fn global_flags_work_anywhere(token in value(), name in value(), id in value(), places in prop::array::uniform3(0usize..4)) {
        let globals = [
            vec!["--token".to_string(), token.clone()],
            vec![format!("--context={token}")],
            vec!["-yojson".to_string()],
        ];
        let command = [vec!["peers".into()], vec!["update".into()], vec![format!("--name={name}")]];
        let mut args = Vec::new();
        for step in 0..=3 {
            for (place, flag) in places.iter().zip(&globals) {
                if *place == step {
                    args.extend(flag.iter().cloned());
                }
            }
            args.extend(command.get(step).into_iter().flatten().cloned());
        }
        args.extend(["--".to_string(), id.clone()]);
        let wanted = Globals {
            token: Some(token.clone()),
            context: Some(token),
            output: Some(Format::Json),
            yes: true,
            ..Globals::default()
        };
        let update = Command::Peers(Peers { what: PeersWhat::Update(PeersUpdate { id, name }) });
        prop_assert_eq!(parse(&args), Ok(Asked::Run(wanted, Box::new(update))));
    }

    /// Whatever is typed: an answer, never a panic; and what is refused is refused as usage.
    #[test]
    fn anything_is_answered(args in prop::collection::vec(prop_oneof![
        value(),
        prop::sample::select(vec!["peers", "list", "add", "-o", "--json", "-j", "license", "issue", "--days", "services", "--peer", "-", "-h"]).prop_map(String::from),
    ], 0..8)) {
        if let Err(fail) = parse(&args) {
            prop_assert_eq!(fail.exit, Exit::Usage);
            prop_assert!(!fail.sentence.chars().any(char::is_control));
        }
    }

    #[test]
    fn distance_is_a_distance(a in "[ab]{0,6}", b in "[ab]{0,6}") {
        prop_assert_eq!(distance(&a, &b), distance(&b, &a));
        prop_assert_eq!(distance(&a, &b) == 0, a == b);
    }
}
