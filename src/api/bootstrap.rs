//! `/v1/bootstrap`: the first valid license wins.

use super::{Request, body, reply};
use crate::domain::Result;
use crate::transport::Reply;
use crate::wire::operator::Bootstrap;

pub fn bootstrap(request: &Request) -> Result<Reply> {
    body::require_type(request.call, body::JSON)?;
    let asked = Bootstrap::read(&request.call.body)?;
    reply::created(&request.backend.bootstrap(asked)?)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Agent, Answer};
    use super::super::samples::{call, license};
    use crate::domain::Error;

    fn post(agent: &Agent, content_type: &str, body: &str) -> Answer {
        agent.state().bootstrapped = false;
        let mut call = call("POST", "/v1/bootstrap");
        call.headers
            .push(("content-type".into(), content_type.into()));
        call.body = body.as_bytes().to_vec();
        agent.send(call)
    }

    #[test]
    fn a_license_alone_or_wrapped() {
        let (agent, document) = (Agent::new(), license().to_document());
        let wrapped = format!(r#"{{"license": {document}, "name": "alice", "description": "x"}}"#);
        for body in [document.as_str(), wrapped.as_str()] {
            let answer = post(&agent, "application/json", body);
            assert_eq!(answer.status, 201, "{}", answer.json);
            assert!(answer.json["client_secret"].is_string());
        }
        assert_eq!(agent.state().asked, ["bootstrap ", "bootstrap alice"]);
    }

    #[test]
    fn refusals() {
        let document = license().to_document();
        for (body, code, word) in [
            ("", "INVALID_REQUEST", "empty"),
            ("license", "INVALID_REQUEST", "JSON"),
            ("{}", "LICENSE_INVALID", "license_id"),
            ("[]", "INVALID_REQUEST", "object"),
            (r#"{"license": {}}"#, "LICENSE_INVALID", "license_id"),
            (r#"{"license": null}"#, "LICENSE_INVALID", "license"),
            (r#"{"license": {}, "name": 5}"#, "INVALID_REQUEST", "'name'"),
            (r#"{"license": {}, "nane": ""}"#, "INVALID_REQUEST", "nane"),
        ] {
            let answer = post(&Agent::new(), "application/json", body);
            assert_eq!(answer.code(), code, "{body}: {}", answer.error());
            assert!(answer.error().contains(word), "{body}: {}", answer.error());
        }
        let form = post(
            &Agent::new(),
            "application/x-www-form-urlencoded",
            &document,
        );
        assert_eq!((form.status, form.code()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    }

    #[test]
    fn the_second_is_told_which_license_is_there() {
        let agent = Agent::new();
        agent.state().error = Some(Error::AlreadyBootstrapped("lic_x".into()));
        let answer = post(&agent, "application/json", &license().to_document());
        assert_eq!(
            (answer.status, answer.code()),
            (409, "ALREADY_BOOTSTRAPPED")
        );
        assert!(answer.error().contains("lic_x"));
    }
}
