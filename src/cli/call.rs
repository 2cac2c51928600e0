//! A conversation with one agent: its URL, the credentials for it, calls and what they answer.

use super::context::Context;
use super::fail::{Exit, Fail, Outcome};
use super::http::{Answer, Ask, BaseUrl, Http, encode};
use super::output;
use crate::domain::{Code, Error};
use crate::wire::operator::{ErrorBody, TokenBody, TokenError};
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::time::Duration;

/// What to do about a token that was given and is not taken.
const GIVEN_TOKEN: &str = "the token came from --token, --token-file or ARCTIC_TOKEN; only the agent that issued it takes it";

/// How this side proves who it is.
pub enum Auth {
    None,
    /// A token that was given.
    Token(String),
    /// Saved credentials, which fetch a token.
    Client {
        id: String,
        secret: String,
    },
}

/// An agent to talk to.
pub struct Agent<'a> {
    pub url: BaseUrl,
    /// What people call it here: the context's name, or "".
    pub name: String,
    http: &'a Http,
    auth: Auth,
    timeout: Duration,
    /// The token of this process; never written anywhere.
    token: RefCell<Option<String>>,
}

impl<'a> Agent<'a> {
    pub fn new(http: &'a Http, url: BaseUrl, auth: Auth, timeout: Duration) -> Agent<'a> {
        Agent {
            url,
            name: String::new(),
            http,
            auth,
            timeout,
            token: RefCell::new(None),
        }
    }

    pub fn of_context(http: &'a Http, context: &Context, timeout: Duration) -> Outcome<Agent<'a>> {
        let auth = Auth::Client {
            id: context.client_id.clone(),
            secret: context.client_secret.clone(),
        };
        // A URL that a person wrote into the file may be wrong; that is the file's fault.
        let url = BaseUrl::parse(&context.url).map_err(|f| Fail::config(f.sentence))?;
        Ok(Agent::new(http, url, auth, timeout).named(&context.name))
    }

    pub fn named(self, name: &str) -> Agent<'a> {
        Agent {
            name: name.to_string(),
            ..self
        }
    }

    /// How prompts and remarks call this agent.
    pub fn called(&self) -> String {
        match self.name.is_empty() {
            true => self.url.text(),
            false => format!("{} ({})", self.name, self.url.text()),
        }
    }

    pub fn has_credentials(&self) -> bool {
        !matches!(self.auth, Auth::None)
    }

    pub fn get<T: DeserializeOwned>(&self, target: &str) -> Outcome<Reply<T>> {
        self.call("GET", target, None)
    }

    pub fn delete<T: DeserializeOwned>(&self, target: &str) -> Outcome<Reply<T>> {
        self.call("DELETE", target, None)
    }

    pub fn post<T: DeserializeOwned>(&self, target: &str, body: &str) -> Outcome<Reply<T>> {
        self.call("POST", target, Some(body))
    }

    pub fn put<T: DeserializeOwned>(&self, target: &str, body: &str) -> Outcome<Reply<T>> {
        self.call("PUT", target, Some(body))
    }

    /// A call with a token, if there are credentials. A token that has just expired is replaced once.
    fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        target: &str,
        body: Option<&str>,
    ) -> Outcome<Reply<T>> {
        let answer = self.send(method, target, body, true)?;
        let outcome = self.read(answer);
        let expired = matches!(&outcome, Err(f) if f.code == Some(Code::TokenExpired));
        if expired && matches!(self.auth, Auth::Client { .. }) {
            self.token.replace(None);
            return self.read(self.send(method, target, body, true)?);
        }
        outcome
    }

    /// A call that needs no token, with its status: some answers mean something besides success.
    pub fn open_call(
        &self,
        method: &'static str,
        target: &str,
        body: Option<&str>,
    ) -> Outcome<Answer> {
        self.send(method, target, body, false)
    }

    /// Reads a successful answer, or turns a refusal into a failure.
    pub fn read<T: DeserializeOwned>(&self, answer: Answer) -> Outcome<Reply<T>> {
        if !(200..300).contains(&answer.status) {
            return Err(self.refusal(&answer));
        }
        let strange = || {
            Fail::failed(format!(
                "{} answered something that an arctic agent does not say",
                self.url.text()
            ))
            .hint("check the URL; the agent may also be of a later version")
        };
        let value = serde_json::from_slice(&answer.body).map_err(|_| strange())?;
        let json = String::from_utf8(answer.body).map_err(|_| strange())?;
        Ok(Reply { json, value })
    }

    fn send(
        &self,
        method: &'static str,
        target: &str,
        body: Option<&str>,
        with_token: bool,
    ) -> Outcome<Answer> {
        let mut headers = vec![("Accept".to_string(), "application/json".to_string())];
        if body.is_some() {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
        if with_token && self.has_credentials() {
            headers.push(("Authorization".into(), format!("Bearer {}", self.token()?)));
        }
        self.http.send(Ask {
            method,
            url: &self.url,
            target: target.to_string(),
            headers,
            body: body.map(|text| text.as_bytes().to_vec()),
            timeout: self.timeout,
        })
    }

    fn token(&self) -> Outcome<String> {
        if let Auth::Token(token) = &self.auth {
            return Ok(token.clone());
        }
        if let Some(token) = self.token.borrow().as_ref() {
            return Ok(token.clone());
        }
        let token = self.fetch_token()?.value.access_token;
        self.token.replace(Some(token.clone()));
        Ok(token)
    }

    /// A fresh token for the saved credentials (RFC 6749 section 4.4).
    pub fn fetch_token(&self) -> Outcome<Reply<TokenBody>> {
        let Auth::Client { id, secret } = &self.auth else {
            return Err(self.no_credentials());
        };
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            encode(id),
            encode(secret)
        );
        let answer = self.http.send(Ask {
            method: "POST",
            url: &self.url,
            target: "/v1/oauth/token".into(),
            headers: vec![(
                "Content-Type".into(),
                "application/x-www-form-urlencoded".into(),
            )],
            body: Some(form.into_bytes()),
            timeout: self.timeout,
        })?;
        self.read(answer)
    }

    pub fn no_credentials(&self) -> Fail {
        self.with_url(Fail::new(Exit::Auth, "no credentials for this agent").hint(
            "save it with 'arctic config add-peer --url URL --client-id ID --client-secret-file FILE', or give a token with --token-file or ARCTIC_TOKEN",
        ))
    }

    /// The hints of the table speak of some URL; here it is known which.
    fn with_url(&self, fail: Fail) -> Fail {
        let url = format!("--url {}", self.url.text());
        let hint = fail.hint.map(|hint| hint.replace("--url URL", &url));
        Fail { hint, ..fail }
    }

    fn refusal(&self, answer: &Answer) -> Fail {
        if let Ok(body) = serde_json::from_slice::<ErrorBody>(&answer.body) {
            return match Code::parse(&body.code) {
                Some(Code::Unauthorized) if matches!(self.auth, Auth::Token(_)) => {
                    Fail::answered(Code::Unauthorized.row(), body.error).hint(GIVEN_TOKEN)
                }
                Some(code) => self.with_url(Fail::answered(code.row(), body.error)),
                // A code of a later version: its status says enough for an exit code.
                None => Fail::new(exit_of_status(answer.status), body.error),
            };
        }
        if let Ok(body) = serde_json::from_slice::<TokenError>(&answer.body) {
            let sentence = format!("{} refused the credentials: {}", self.url.text(), {
                match body.error_description.is_empty() {
                    true => body.error,
                    false => body.error_description,
                }
            });
            return Fail::new(Exit::Auth, sentence).hint(Code::Unauthorized.row().hint);
        }
        let sentence = format!("{} answered HTTP {}", self.url.text(), answer.status);
        Fail::new(exit_of_status(answer.status), sentence)
            .hint("that is not an answer of an arctic agent; check the URL")
    }
}

fn exit_of_status(status: u16) -> Exit {
    match status {
        401 | 403 => Exit::Auth,
        _ => Exit::Failed,
    }
}

/// A successful answer: as it was, and as read.
pub struct Reply<T> {
    pub json: String,
    pub value: T,
}

/// Says, once, that what is sent can be read on the way.
pub fn warn_if_open(url: &BaseUrl, what: &str) {
    if !url.is_loopback() {
        output::note(&format!(
            "Warning: {what} goes to {} over plain HTTP; who can read the network in between learns it",
            url.text()
        ));
    }
}

/// Whether a refusal will pass when the other agent is up.
pub fn may_pass(fail: &Fail) -> bool {
    let not_yet = Error::Handshake(crate::domain::HandshakeFault::NotBootstrapped).to_string();
    fail.code == Some(Code::PeerUnreachable) || fail.sentence == not_yet
}
