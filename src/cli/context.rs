//! The file of saved agents: what a context is, how one is found, how the file is kept.
//!
//! Invariant: a file that cannot be read is never written over, and a change loses no other context:
//! every change reads, edits and replaces the file under a lock.

use super::fail::{Fail, Outcome};
use crate::domain::strict;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file of contexts that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// An agent that was saved, with its credentials. No `Debug`: the secret reaches no message.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    pub name: String,
    pub peer_id: String,
    pub url: String,
    pub client_id: String,
    pub client_secret: String,
}

/// All that is saved.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    version: u32,
    /// The peer id of the current context.
    pub current: Option<String>,
    pub contexts: Vec<Context>,
}

impl Default for Contexts {
    fn default() -> Contexts {
        Contexts {
            version: 1,
            current: None,
            contexts: Vec::new(),
        }
    }
}

impl Contexts {
    pub fn current(&self) -> Option<&Context> {
        let current = self.current.as_deref()?;
        self.contexts.iter().find(|c| c.peer_id == current)
    }

    pub fn is_current(&self, context: &Context) -> bool {
        self.current.as_ref() == Some(&context.peer_id)
    }

    /// The context with this peer id or name. A name that several share names none of them.
    pub fn find(&self, word: &str) -> Outcome<&Context> {
        if let Some(context) = self.contexts.iter().find(|c| c.peer_id == word) {
            return Ok(context);
        }
        let named: Vec<&Context> = self.contexts.iter().filter(|c| c.name == word).collect();
        match named.as_slice() {
            [context] => Ok(context),
            [] => Err(Fail::config(format!("no context is called '{word}'"))
                .hint("see 'arctic config list-peers'")),
            several => Err(Fail::config(format!(
                "several contexts are called '{word}': {}",
                ids(several)
            ))
            .hint("use the peer id instead of the name")),
        }
    }

    /// The context for a URL: the current one if it matches, else the one saved last.
    pub fn with_url(&self, url: &str) -> Option<&Context> {
        let last = || self.contexts.iter().rev().find(|c| c.url == url);
        self.current().filter(|c| c.url == url).or_else(last)
    }

    /// Saves a context in place of one with the same peer id. It becomes the current one if asked
    /// for, or if there is none.
    pub fn save(&mut self, context: Context, make_current: bool) {
        if make_current || self.current().is_none() {
            self.current = Some(context.peer_id.clone());
        }
        self.contexts.retain(|c| c.peer_id != context.peer_id);
        self.contexts.push(context);
    }

    /// Others that have the name of this one.
    pub fn namesakes(&self, context: &Context) -> Vec<&Context> {
        let same = |c: &&Context| c.name == context.name && c.peer_id != context.peer_id;
        self.contexts.iter().filter(same).collect()
    }

    /// Removes a context; whether it was the current one.
    pub fn remove(&mut self, peer_id: &str) -> bool {
        self.contexts.retain(|c| c.peer_id != peer_id);
        let was_current = self.current.as_deref() == Some(peer_id);
        if was_current {
            self.current = None;
        }
        was_current
    }
}

fn ids(contexts: &[&Context]) -> String {
    let ids: Vec<&str> = contexts.iter().map(|c| c.peer_id.as_str()).collect();
    ids.join(", ")
}

/// What a context may be called: not what already means something else.
pub fn check_name(name: &str) -> Outcome<()> {
    crate::domain::Name::parse(name)
        .map(drop)
        .map_err(|e| Fail::usage(e.to_string()))
}

/// Where the contexts are kept.
pub struct ConfigFile {
    pub path: PathBuf,
}

impl ConfigFile {
    /// `--config`, else `$ARCTIC_CONFIG`, else `$XDG_CONFIG_HOME/arctic`, else `~/.config/arctic`.
    pub fn locate(flag: Option<&Path>) -> Outcome<ConfigFile> {
        let set = |name| std::env::var_os(name).filter(|v| !v.is_empty());
        let given = flag
            .map(PathBuf::from)
            .or_else(|| set("ARCTIC_CONFIG").map(PathBuf::from));
        if let Some(path) = given {
            return Ok(ConfigFile { path });
        }
        // The XDG specification says to ignore a relative path.
        let xdg = set("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute());
        let home = || set("HOME").map(|home| Path::new(&home).join(".config"));
        let dir = xdg.or_else(home).ok_or_else(|| {
            Fail::config("no place for contexts: HOME is not set")
                .hint("set ARCTIC_CONFIG to a file, or use --config")
        })?;
        Ok(ConfigFile {
            path: dir.join("arctic/config.json"),
        })
    }

    /// Reads the file; one that does not exist holds no contexts.
    pub fn read(&self) -> Outcome<Contexts> {
        let mut bytes = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file
                .take(MAX_FILE + 1)
                .read_to_end(&mut bytes)
                .map_err(|e| self.fault("read", &e))?,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Contexts::default()),
            Err(e) => return Err(self.fault("read", &e)),
        };
        if bytes.len() as u64 > MAX_FILE {
            return Err(self.corrupt("it is longer than 1 MiB"));
        }
        self.parse(&bytes)
    }

    fn parse(&self, bytes: &[u8]) -> Outcome<Contexts> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        // The version is read first: a later one may have other fields.
        let probe: Versioned =
            serde_json::from_slice(bytes).map_err(|e| self.corrupt(&e.to_string()))?;
        if probe.version != 1 {
            return Err(self.corrupt(&format!(
                "its version {} is not known to this arctic",
                probe.version
            )));
        }
        strict::from_slice(bytes, "contexts").map_err(|e| self.corrupt(&e.to_string()))
    }

    /// Reads, lets `edit` change, and replaces the file, all under a lock.
    pub fn change<T>(&self, edit: impl FnOnce(&mut Contexts) -> Outcome<T>) -> Outcome<T> {
        let place = Place::of(&self.path).map_err(|e| self.fault("write", &e))?;
        let _lock = place.lock().map_err(|e| self.fault("lock", &e))?;
        let mut contexts = self.read()?;
        let before = contexts.clone();
        let result = edit(&mut contexts)?;
        if contexts != before {
            let text = serde_json::to_string_pretty(&contexts)
                .map_err(|e| Fail::config(format!("cannot write contexts: {e}")))?;
            place
                .replace(format!("{text}\n").as_bytes())
                .map_err(|e| self.fault("write", &e))?;
        }
        Ok(result)
    }

    /// Fails now if a later `change` would fail: before a secret is issued that would then be lost.
    pub fn check_writable(&self) -> Outcome<()> {
        let place = Place::of(&self.path).map_err(|e| self.fault("write", &e))?;
        let _lock = place.lock().map_err(|e| self.fault("lock", &e))?;
        self.read()?;
        let (path, file) = place.temporary().map_err(|e| self.fault("write", &e))?;
        drop(file);
        fs::remove_file(path).map_err(|e| self.fault("write", &e))
    }

    fn fault(&self, what: &str, error: &std::io::Error) -> Fail {
        Fail::config(format!("cannot {what} {}: {error}", self.path.display()))
    }

    fn corrupt(&self, why: &str) -> Fail {
        Fail::config(format!(
            "{} is not a file of contexts: {why}",
            self.path.display()
        ))
        .hint("repair it, or move it away; it was left as it is")
    }
}

/// A file to replace, with its directory. A symbolic link is followed, so that it stays one.
struct Place {
    file: PathBuf,
    dir: PathBuf,
}

impl Place {
    fn of(path: &Path) -> std::io::Result<Place> {
        let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let dir = match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_path_buf(),
            _ => PathBuf::from("."),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Place { file, dir })
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Holds the lock until the file that it returns is dropped.
    fn lock(&self) -> std::io::Result<File> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.beside(".lock"))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }

    fn temporary(&self) -> std::io::Result<(PathBuf, File)> {
        let path = self.beside(".new");
        // Left behind by a process that was killed; the lock says that nobody is writing it now.
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        Ok((path, file))
    }

    /// Replaces the file at once and durably: there is the old one or the new one, never a part.
    fn replace(&self, bytes: &[u8]) -> std::io::Result<()> {
        let (path, mut file) = self.temporary()?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(e) = written.and_then(|()| fs::rename(&path, &self.file)) {
            let _ = fs::remove_file(&path);
            return Err(e);
        }
        File::open(&self.dir)?.sync_all()
    }
}

/// What a new context is called: as asked, else as the agent is, else by its id.
pub fn name_for(asked: Option<&str>, agents_own: &str, peer_id: &str) -> String {
    let own = Some(agents_own).filter(|name| check_name(name).is_ok());
    asked.or(own).unwrap_or(peer_id).to_string()
}

#[cfg(test)]
mod tests {
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
            file.change(|all| {
                all.save(context("n", id), false);
                Ok(())
            })
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
                .change(|all| {
                    all.save(context("n", "1"), false);
                    Ok(())
                })
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
        file.change(|all| {
            all.save(context("n", "1"), false);
            Ok(())
        })
        .unwrap();
        assert!(link.is_symlink() && fs::read_to_string(real).unwrap().contains("\"n\""));
    }

    #[test]
    fn names() {
        let name = |asked, own| name_for(asked, own, "id");
        assert_eq!(
            [name(Some("n"), "own"), name(None, "own"), name(None, "")],
            ["n", "own", "id"]
        );
    }
}
