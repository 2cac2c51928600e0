use super::*;
use crate::cli::fail::Exit;
use std::os::unix::fs::PermissionsExt;

fn context(name: &str, id: &str) -> Context {
    Context {
        name: name.into(),
        peer_id: id.into(),
        url: format!("http://{id}:8080"),
        client_id: "cli_x".into(),
        client_secret: "sec_x".into(),
    }
}

fn in_dir(dir: &tempfile::TempDir) -> ConfigFile {
    ConfigFile {
        path: dir.path().join("deep/er/config.json"),
    }
}

#[test]
fn the_first_is_current_and_later_ones_only_when_asked() {
    let mut all = Contexts::default();
    all.save(context("a", "1"), false);
    all.save(context("b", "2"), false);
    assert_eq!(all.current().map(|c| c.name.as_str()), Some("a"));
    all.save(context("b2", "2"), true);
    assert_eq!(all.current().map(|c| c.name.as_str()), Some("b2"));
    assert_eq!(all.contexts.len(), 2);
    assert!(all.remove("2") && all.current().is_none());
    all.save(context("c", "3"), false);
    assert_eq!(all.current().map(|c| c.name.as_str()), Some("c"));
}

#[test]
fn a_shared_name_is_refused_with_both_ids() {
    let mut all = Contexts::default();
    all.save(context("a", "1"), false);
    all.save(context("a", "2"), false);
    let fail = all.find("a").err().unwrap();
    assert!(fail.sentence.contains("1, 2") && fail.exit == Exit::Config);
    assert!(all.find("2").is_ok());
    assert_eq!(all.find("zed").err().unwrap().exit, Exit::Config);
}

#[test]
fn the_file_is_private_and_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = in_dir(&dir);
    assert!(file.read().unwrap().contexts.is_empty());
    file.check_writable().unwrap();
    assert!(!file.path.exists());
    for id in ["1", "2"] {
        file.change(|all| Ok(all.save(context("n", id), false)))
            .unwrap();
    }
    assert_eq!(file.read().unwrap().contexts.len(), 2);
    let mode = fs::metadata(&file.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!file.path.with_extension("json.new").exists());
}

#[test]
fn a_broken_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = in_dir(&dir);
    fs::create_dir_all(file.path.parent().unwrap()).unwrap();
    for text in [
        "",
        "{",
        "[]",
        r#"{"version":2,"new":1}"#,
        r#"{"version":1,"current":null,"current":null,"contexts":[]}"#,
        r#"{"version":1,"current":null,"contexts":[{"name":"x"}]}"#,
    ] {
        fs::write(&file.path, text).unwrap();
        let fail = file
            .change(|all| Ok(all.save(context("n", "1"), false)))
            .unwrap_err();
        assert_eq!(fail.exit, Exit::Config, "{text}");
        assert!(file.check_writable().is_err());
        assert_eq!(fs::read_to_string(&file.path).unwrap(), text);
    }
}

#[test]
fn a_symbolic_link_stays_one() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::write(&real, r#"{"version":1,"current":null,"contexts":[]}"#).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let file = ConfigFile { path: link.clone() };
    file.change(|all| Ok(all.save(context("n", "1"), false)))
        .unwrap();
    assert!(link.is_symlink() && fs::read_to_string(real).unwrap().contains("\"n\""));
}

#[test]
fn names() {
    assert_eq!(name_for(Some("n"), "own", "id"), "n");
    assert_eq!(name_for(None, "own", "id"), "own");
    assert_eq!(name_for(None, "", "id"), "id");
}
