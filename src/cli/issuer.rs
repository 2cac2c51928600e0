//! The issuer's tools: `arctic license keygen`, `issue` and `verify`. They speak to no agent.

use super::args::{LicenseIssue, LicenseKeygen, LicenseVerify};
use super::fail::{Fail, Outcome};
use super::output::{self, Cell, Report, View};
use super::session::{Session, read_bounded, read_secret};
use crate::agent::DEFAULT_ISSUERS;
use crate::agent::os;
use crate::domain::license::{MAX_DOCUMENT, Terms, parse_issuers};
use crate::domain::{License, LicenseId, PublicKey, SecretKey, Timestamp};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The longest issuers file that is read, in bytes.
const MAX_ISSUERS: u64 = 256 * 1024;

pub fn keygen(session: &Session, args: &LicenseKeygen) -> Outcome<()> {
    session.only_one()?;
    let key = SecretKey::from_seed(&os::random()?);
    write_key(&args.out, &key).map_err(|e| Fail::file("write", &args.out, &e))?;
    let public = key.public().to_string();
    output::note(&format!(
        "The secret key is in {}; the public key below goes into the issuers file of every agent.",
        args.out.display()
    ));
    session.write(Report {
        json: format!("{{\"public_key\":{}}}", output::json(&public)),
        view: View::line(public),
    })
}

/// Creates the file, for its owner alone; one that exists is never written over.
fn write_key(path: &Path, key: &SecretKey) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(key.seed_text().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

pub fn read_key(path: &Path) -> Outcome<SecretKey> {
    let text = read_secret(&path.display().to_string(), "issuer's key")?;
    SecretKey::parse_seed(&text)
        .map_err(|e| Fail::failed(format!("{} holds no issuer's key: {e}", path.display())))
}

/// Prints the document, which is JSON in either format.
pub fn issue(session: &Session, args: &LicenseIssue) -> Outcome<()> {
    session.only_one()?;
    let key = read_key(&args.key)?;
    let previous = args.renew.as_deref().map(read_license).transpose()?;
    if let Some(previous) = &previous {
        if previous.verify(&[key.public()]).is_err() {
            output::note("Warning: the license to renew was not issued with this key.");
        }
    }
    let terms = terms(args, previous.map(|license| license.terms))?;
    output::print(&format!("{}\n", License::issue(terms, &key).to_document()))
}

fn terms(args: &LicenseIssue, previous: Option<Terms>) -> Outcome<Terms> {
    let now = Timestamp(os::now().seconds() * 1000);
    let (license_id, customer_id, issued_at) = match (&previous, &args.customer) {
        (Some(old), Some(customer)) if *customer != old.customer_id => {
            return Err(Fail::usage(format!(
                "the license to renew is for {}, not {customer}",
                old.customer_id
            )));
        }
        // An agent takes only a later issue, and times count in seconds.
        (Some(old), _) => (
            old.license_id,
            old.customer_id.clone(),
            now.max(Timestamp(old.issued_at.0 + 1000)),
        ),
        (None, Some(customer)) => (new_id(now)?, customer.clone(), now),
        (None, None) => return Err(Fail::usage("--customer is missing (or --renew)")),
    };
    let limit = |given: Option<u32>, old: Option<u32>, flag| {
        let missing = || Fail::usage(format!("{flag} is missing"));
        given.or(old).ok_or_else(missing)
    };
    let max_nodes = limit(
        args.max_nodes,
        previous.as_ref().map(|p| p.max_nodes),
        "--max-nodes",
    )?;
    if max_nodes == 0 {
        return Err(Fail::usage("--max-nodes must be at least 1"));
    }
    Ok(Terms {
        license_id,
        customer_id,
        issued_at,
        expires_at: now.plus_days(args.days).max(issued_at.plus_days(1)),
        max_nodes,
        max_services: limit(
            args.max_services,
            previous.as_ref().map(|p| p.max_services),
            "--max-services",
        )?,
    })
}

fn new_id(now: Timestamp) -> Outcome<LicenseId> {
    let time = u64::try_from(now.0).unwrap_or(0);
    Ok(LicenseId::from_parts(time, os::random()?))
}

fn read_license(path: &Path) -> Outcome<License> {
    let bytes = read_bounded(&path.display().to_string(), MAX_DOCUMENT as u64, "license")?;
    License::parse(&bytes).map_err(|e| unhinted(e.into()))
}

/// The hint of these codes names the command that is running.
fn unhinted(fail: Fail) -> Fail {
    Fail { hint: None, ..fail }
}

pub fn verify(session: &Session, args: &LicenseVerify) -> Outcome<()> {
    session.only_one()?;
    let license = read_license(&args.file)?;
    let default = PathBuf::from(DEFAULT_ISSUERS);
    let issuers = read_issuers(args.issuers.as_ref().unwrap_or(&default))?;
    license.verify(&issuers).map_err(|e| unhinted(e.into()))?;
    let now = os::now();
    session.write(report(&license.terms, now))?;
    // Well signed but outside its term: no agent would take it now.
    license.terms.check_term(now).map_err(Fail::from)
}

fn read_issuers(path: &Path) -> Outcome<Vec<PublicKey>> {
    let bytes = read_bounded(&path.display().to_string(), MAX_ISSUERS, "issuers file")?;
    parse_issuers(&String::from_utf8_lossy(&bytes)).map_err(Fail::from)
}

fn report(terms: &Terms, now: Timestamp) -> Report {
    let state = terms.state(now);
    let fingerprint = terms.fingerprint_text();
    let json = serde_json::json!({
        "license_id": terms.license_id, "customer_id": terms.customer_id,
        "issued_at": terms.issued_at, "expires_at": terms.expires_at,
        "max_nodes": terms.max_nodes, "max_services": terms.max_services,
        "state": state, "days_left": terms.days_left(now), "fingerprint": fingerprint,
    });
    let fields = vec![
        ("License ID", Cell::new(terms.license_id.to_string())),
        ("Customer ID", Cell::new(terms.customer_id.as_str())),
        ("Issued At", Cell::new(terms.issued_at.for_people())),
        ("Expires At", Cell::new(terms.expires_at.for_people())),
        ("State", Cell::status(state.as_str())),
        ("Days Left", Cell::new(terms.days_left(now).to_string())),
        ("Max Nodes", Cell::new(terms.max_nodes.to_string())),
        ("Max Services", Cell::new(terms.max_services.to_string())),
        ("Fingerprint", Cell::new(fingerprint)),
        ("Signature", Cell::new("of a trusted issuer")),
    ];
    Report {
        json: json.to_string(),
        view: View::Fields(fields),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Customer;
    use std::os::unix::fs::PermissionsExt;

    fn args(customer: Option<&str>, max: Option<u32>) -> LicenseIssue {
        LicenseIssue {
            key: PathBuf::new(),
            customer: customer.map(|c| Customer::parse_word(c).unwrap()),
            max_nodes: max,
            max_services: max,
            days: 365,
            renew: None,
        }
    }

    #[test]
    fn a_key_is_private_and_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("issuer.key");
        let key = SecretKey::from_seed(&[7; 32]);
        write_key(&path, &key).unwrap();
        assert!(write_key(&path, &SecretKey::from_seed(&[8; 32])).is_err());
        assert!(read_key(&path).unwrap().public() == key.public());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_renewal_is_later_and_keeps_what_names_it() {
        let first = terms(&args(Some("acme"), Some(10)), None).unwrap();
        let again = terms(&args(None, None), Some(first.clone())).unwrap();
        assert_eq!(again.license_id, first.license_id);
        assert_eq!(again.customer_id, first.customer_id);
        assert_eq!((again.max_nodes, again.max_services), (10, 10));
        assert!(again.issued_at > first.issued_at);
        assert!(terms(&args(Some("other"), None), Some(first)).is_err());
        assert!(terms(&args(None, Some(10)), None).is_err());
        assert!(terms(&args(Some("acme"), Some(0)), None).is_err());
    }
}
