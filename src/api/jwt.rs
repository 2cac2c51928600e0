//! Access tokens: Ed25519 JWTs (RFC 8037) in the shape of RFC 9068, by hand.
//!
//! The header is compared whole, as text; nothing is ever chosen by what a token says of itself.

use crate::domain::keys::Context;
use crate::domain::{ClientId, PeerId, PublicKey, SecretKey, Signature};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long a token is good, in seconds.
pub const LIFETIME_S: i64 = 3600;
/// The longest token that is looked at, in bytes. One with every scope has under 1100.
const MAX_TOKEN: usize = 2048;

/// What a token says. Every claim occurs once, and no other does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub iss: PeerId,
    pub sub: ClientId,
    pub client_id: ClientId,
    pub aud: PeerId,
    /// URNs, separated by spaces.
    pub scope: String,
    /// Seconds since 1970.
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
}

/// Signs a token.
pub fn mint(claims: &Claims, key: &SecretKey) -> String {
    // Strings and numbers always serialize; an empty token would open nothing.
    let body = serde_json::to_vec(claims).unwrap_or_default();
    let input = format!("{}.{}", header("EdDSA", &key.public()), encode(&body));
    let signature = key.sign(Context::Token, input.as_bytes());
    format!("{input}.{}", encode(&signature.0))
}

/// The claims of a token that this key signed. They are read only after the signature is verified;
/// whom they are for, and until when, is for the caller to judge.
pub fn verify(token: &str, key: &PublicKey) -> Option<Claims> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (input, signature) = token.rsplit_once('.')?;
    let (head, body) = input.split_once('.')?;
    // RFC 9864 calls the same algorithm Ed25519.
    let known = head == header("EdDSA", key) || head == header("Ed25519", key);
    let signature = Signature(decode(signature)?.try_into().ok()?);
    if !known || !key.verify(Context::Token, input.as_bytes(), &signature) {
        return None;
    }
    serde_json::from_slice(&decode(body)?).ok()
}

/// The id of a key: its RFC 7638 thumbprint, members in lexical order as RFC 8037 appendix A.3 has them.
pub fn key_id(key: &PublicKey) -> String {
    let canonical = format!(
        r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
        encode(key.as_bytes())
    );
    encode(&Sha256::digest(canonical))
}

fn header(alg: &str, key: &PublicKey) -> String {
    let kid = key_id(key);
    encode(format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"at+jwt"}}"#).as_bytes())
}

/// base64url without padding, as all of JOSE.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_seed(&[7; 32])
    }

    fn claims() -> Claims {
        let (peer, client) = (
            PeerId::from_parts(1, [1; 10]),
            ClientId::from_parts(1, [2; 10]),
        );
        Claims {
            iss: peer,
            sub: client,
            client_id: client,
            aud: peer,
            scope: "urn:tillered:arctic:admin".into(),
            iat: 1,
            exp: 3601,
            jti: "id".into(),
        }
    }

    fn signed(head: &str, body: &str) -> String {
        let input = format!("{}.{}", encode(head.as_bytes()), encode(body.as_bytes()));
        let signature = key().sign(Context::Token, input.as_bytes());
        format!("{input}.{}", encode(&signature.0))
    }

    fn head(alg: &str) -> String {
        let kid = key_id(&key().public());
        format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"at+jwt"}}"#)
    }

    #[test]
    fn the_thumbprint_of_rfc_8037_appendix_a_3() {
        let x = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = PublicKey::from_bytes(&x.try_into().unwrap()).unwrap();
        assert_eq!(key_id(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_token_is_good_under_its_key_alone() {
        let token = mint(&claims(), &key());
        assert_eq!(verify(&token, &key().public()), Some(claims()));
        let other = SecretKey::from_seed(&[8; 32]).public();
        assert_eq!(verify(&token, &other), None);
    }

    #[test]
    fn any_changed_character_is_refused() {
        let token = mint(&claims(), &key());
        for (at, c) in token.char_indices() {
            let other = if c == 'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert_eq!(verify(&changed, &key().public()), None, "{at}");
        }
    }

    #[test]
    fn only_the_two_headers_are_known() {
        let body = serde_json::to_string(&claims()).unwrap();
        for alg in ["EdDSA", "Ed25519"] {
            assert!(verify(&signed(&head(alg), &body), &key().public()).is_some());
        }
        for alg in ["none", "HS256", "eddsa"] {
            assert!(verify(&signed(&head(alg), &body), &key().public()).is_none());
        }
        let spaced = head("EdDSA").replace(':', ": ");
        assert!(verify(&signed(&spaced, &body), &key().public()).is_none());
    }

    #[test]
    fn claims_occur_once_and_no_other_does() {
        let body = serde_json::to_string(&claims()).unwrap();
        let good = signed(&head("EdDSA"), &body);
        assert!(verify(&good, &key().public()).is_some());
        let client = claims().sub;
        for bad in [
            body.replacen('{', r#"{"exp":9999999999,"#, 1),
            body.replacen('{', r#"{"nbf":1,"#, 1),
            body.replace(r#","jti":"id""#, ""),
            body.replace("3601", "\"3601\""),
            body.replace(&client.to_string(), "cli_x"),
            "[]".into(),
        ] {
            assert_ne!(bad, body);
            assert!(verify(&signed(&head("EdDSA"), &bad), &key().public()).is_none());
        }
    }

    #[test]
    fn odd_forms_are_refused() {
        let good = mint(&claims(), &key());
        let long = format!("{good}{}", "A".repeat(MAX_TOKEN));
        for bad in [
            "",
            ".",
            "..",
            "a.b",
            &format!("{good}."),
            &format!("{good}="),
            &long,
        ] {
            assert!(verify(bad, &key().public()).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_longest_token_fits() {
        let all = crate::domain::Scopes::of(&crate::domain::Scope::ALL);
        let long = Claims {
            scope: all.to_string(),
            jti: "j".repeat(22),
            iat: i64::MAX,
            ..claims()
        };
        assert!(mint(&long, &key()).len() < 1200);
    }
}
