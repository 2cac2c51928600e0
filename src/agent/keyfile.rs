//! `peer.key`: the peer id and its secret key, the one file to back up.

use super::os;
use crate::domain::{Error, PeerId, Result, SecretKey};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const HEADER: &str = "# The identity of this arctic agent. Secret: whoever has it is this agent.";
/// A key file is a few lines.
const MAX_BYTES: u64 = 1024;

pub fn path(dir: &Path) -> PathBuf {
    dir.join("peer.key")
}

fn fault(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::Internal(format!("{}: {why}", path.display()))
}

/// Reads the key file; none if there is none.
pub fn read(dir: &Path) -> Result<Option<(PeerId, SecretKey)>> {
    let path = path(dir);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(&path, e)),
    };
    let mode = file
        .metadata()
        .map_err(|e| fault(&path, e))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(fault(
            &path,
            "others may read it; 'chmod 600' it, and if others did read it, reset this agent",
        ));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|e| fault(&path, e))?;
    let damaged = || {
        fault(
            &path,
            "not a key file, or damaged; restore it from its backup",
        )
    };
    let mut lines = text.lines().filter(|l| !l.starts_with('#'));
    let (id, seed) = lines.next().zip(lines.next()).ok_or_else(damaged)?;
    let id = PeerId::parse(id).map_err(|_| damaged())?;
    let key = SecretKey::parse_seed(seed).map_err(|_| damaged())?;
    if !id.matches(&key.public()) {
        return Err(damaged());
    }
    Ok(Some((id, key)))
}

/// The identity that is there, or a new one, durably written before anyone hears of it.
pub fn read_or_create(dir: &Path) -> Result<(PeerId, SecretKey)> {
    if let Some(found) = read(dir)? {
        return Ok(found);
    }
    let seed = Zeroizing::new(os::random::<32>()?);
    let key = SecretKey::from_seed(&seed);
    let time_ms = u64::try_from(os::now().0).unwrap_or(0);
    let id = PeerId::derive(&key.public(), time_ms);
    let text = Zeroizing::new(format!("{HEADER}\n{id}\n{}\n", key.seed_text().as_str()));
    write(dir, &text).map_err(|e| match e.kind() {
        ErrorKind::StorageFull => Error::StorageFull,
        _ => fault(&path(dir), e),
    })?;
    Ok((id, key))
}

/// Written beside, synced, renamed, and the directory synced: there is never half a key.
fn write(dir: &Path, text: &str) -> std::io::Result<()> {
    let beside = dir.join("peer.key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path(dir))?;
    File::open(dir)?.sync_all()
}
