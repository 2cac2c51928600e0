//! `/v1/license`.

use super::{Request, body, reply};
use crate::domain::Result;
use crate::transport::Reply;
use crate::wire::operator::UpdateLicense;

pub fn get(request: &Request) -> Result<Reply> {
    reply::ok(&request.backend.license()?)
}

pub fn update(request: &Request) -> Result<Reply> {
    body::require_type(request.call, body::JSON)?;
    let asked = UpdateLicense::read(&request.call.body)?;
    let license = request
        .backend
        .update_license(asked.license, asked.forget_previous)?;
    reply::ok(&license)
}

#[cfg(test)]
mod tests {
    use super::super::fake::Agent;
    use super::super::samples::license;

    #[test]
    fn shown_without_its_signature() {
        let answer = Agent::new().admin("GET", "/v1/license", "");
        assert_eq!(
            (answer.status, answer.json["state"].as_str()),
            (200, Some("valid"))
        );
        assert!(answer.json.get("signature").is_none());
    }

    #[test]
    fn every_form_of_an_update() {
        let document = license().to_document();
        for (body, asked) in [
            (document.clone(), "update_license true false"),
            (
                format!(r#"{{"license": {document}}}"#),
                "update_license true false",
            ),
            (
                format!(r#"{{"license": {document}, "forget_previous": true}}"#),
                "update_license true true",
            ),
            (
                r#"{"forget_previous": true}"#.into(),
                "update_license false true",
            ),
        ] {
            let agent = Agent::new();
            assert_eq!(
                agent.admin("PUT", "/v1/license", &body).status,
                200,
                "{body}"
            );
            assert_eq!(agent.state().asked, [asked]);
        }
    }

    #[test]
    fn refusals() {
        for (body, code, word) in [
            ("{}", "LICENSE_INVALID", "license_id"),
            (r#"{"forget_previous": false}"#, "MISSING_FIELD", "license"),
            (r#"{"license": null}"#, "MISSING_FIELD", "license"),
            (
                r#"{"forget_previous": "yes"}"#,
                "INVALID_REQUEST",
                "'forget_previous'",
            ),
            (
                r#"{"forget_previous": true, "x": 1}"#,
                "INVALID_REQUEST",
                "`x`",
            ),
            (r#"{"license": 5}"#, "LICENSE_INVALID", "license"),
        ] {
            let agent = Agent::new();
            let answer = agent.admin("PUT", "/v1/license", body);
            assert_eq!(answer.code(), code, "{body}: {}", answer.error());
            assert!(answer.error().contains(word), "{body}: {}", answer.error());
            assert!(agent.state().asked.is_empty());
        }
    }
}
