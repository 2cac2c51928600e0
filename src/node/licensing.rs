//! The license after bootstrap: its renewal, and the issue before it.

use super::{Life, Node};
use crate::core::register::Change;
use crate::core::schedule::Now;
use crate::domain::{Error, IssueId, IssueKey, License, Name, Result};
use crate::wire::operator::LicenseBody;

impl Node {
    pub fn license_body(&self, now: Now) -> Result<LicenseBody> {
        let life = self.life()?;
        let terms = &life.license().terms;
        Ok(LicenseBody {
            license_id: terms.license_id.to_string(),
            customer_id: terms.customer_id.to_string(),
            issued_at: terms.issued_at,
            expires_at: terms.expires_at,
            max_nodes: terms.max_nodes,
            max_services: terms.max_services,
            state: terms.state(now.wall),
            days_left: terms.days_left(now.wall),
            nodes_used: life.register.member_count() as u64,
            services_used: life.register.service_count() as u64,
            over_limit: life.over_limit(),
            fingerprint: terms.fingerprint_text(),
        })
    }

    /// Takes a renewal, and forgets the issue before the current one if asked to.
    pub fn update_license(
        &mut self,
        renewal: Option<License>,
        forget_previous: bool,
        now: Now,
    ) -> Result<LicenseBody> {
        let life = self.active()?;
        let mut licenses = life.licenses.clone();
        if let Some(renewal) = renewal {
            self.check_renewal(&renewal, now)?;
            licenses.insert(0, renewal);
        }
        licenses.truncate(if forget_previous { 1 } else { 2 });
        self.hold(licenses, now)?;
        self.license_body(now)
    }

    fn check_renewal(&self, renewal: &License, now: Now) -> Result<()> {
        self.check_license(renewal)?;
        let held = &self.life()?.license().terms;
        if renewal.terms.license_id != held.license_id {
            return Err(Error::LicenseMismatch {
                ours: held.license_id.to_string(),
                theirs: renewal.terms.license_id.to_string(),
            });
        }
        if renewal.terms.issued_at <= held.issued_at {
            return Err(Error::LicenseInvalid(format!(
                "it was issued on {}, not later than the one in use",
                renewal.terms.issued_at.for_people()
            )));
        }
        renewal.terms.check_term(now.wall)
    }

    /// Holds these issues from now on, and tags what is stored with each of them: so members that
    /// hold only one of them can go on admitting.
    fn hold(&mut self, licenses: Vec<License>, now: Now) -> Result<()> {
        let life = self.life.as_mut().ok_or(Error::NotBootstrapped)?;
        let issues: Vec<IssueKey> = licenses.iter().map(IssueKey::of).collect();
        let changes = life.retagged(&issues);
        self.store.write(|tx| {
            tx.set_licenses(&licenses.iter().collect::<Vec<_>>())?;
            changes
                .iter()
                .try_for_each(|change| tx.put(change, &Name::none(), now.wall))
        })?;
        for change in &changes {
            life.register.apply(change);
        }
        (life.licenses, life.issues) = (licenses, issues);
        life.introduced.clear();
        self.publish();
        Ok(())
    }
}

impl Life {
    /// The issues by whose tags and proofs unknown identities come in now: the current one always, the
    /// one before it until its grace has ended. By the clock at each use: a wrong one forgets nothing.
    pub(super) fn admitting(&self, now: Now) -> &[IssueKey] {
        let ended = |license: &License| license.terms.read_only(now.wall);
        let over = self.licenses.iter().skip(1).position(ended);
        &self.issues[..over.map_or(self.issues.len(), |at| at + 1)]
    }

    pub(super) fn admitting_issue(&self, id: IssueId, now: Now) -> Option<&IssueKey> {
        self.admitting(now).iter().find(|issue| issue.id() == id)
    }

    /// An issue that this agent can prove, whatever its dates.
    pub(super) fn issue(&self, id: IssueId) -> Option<&IssueKey> {
        self.issues.iter().find(|issue| issue.id() == id)
    }

    fn retagged(&self, issues: &[IssueKey]) -> Vec<Change> {
        self.register
            .keys()
            .filter_map(|key| {
                let mut item = self.register.get(key)?;
                item.add_tags(issues).then_some(Change::Tags(item))
            })
            .collect()
    }
}
