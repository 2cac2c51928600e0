//! What the beginning of a long message shows, before the rest is read. It proves nothing.

use crate::domain::PublicKey;
use crate::domain::issue::proof_text;
use crate::domain::signed::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What the first fields of a message take at most, in bytes.
const MAX_FRONT: usize = 512;

/// The key that a frame begins with, by the beginning of its bytes.
pub fn key(beginning: &[u8]) -> Option<PublicKey> {
    #[derive(Deserialize)]
    struct Front {
        key: PublicKey,
    }
    first::<Front>(beginning, 1, b"}").map(|front| front.key)
}

/// What a proof begins with: by these a responder knows its own challenge again.
#[derive(Debug, Deserialize)]
pub struct ProofFront {
    pub key: PublicKey,
    #[serde(with = "proof_text")]
    pub hello_challenge: [u8; 32],
    pub challenge: Bytes,
}

/// The front of a proof, by the beginning of its bytes; none of another kind of message.
pub fn proof(beginning: &[u8]) -> Option<ProofFront> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Front {
        Proof(ProofFront),
    }
    let Front::Proof(front) = first(beginning, 3, b"}}")?;
    Some(front)
}

/// So many first fields, none of which has a comma inside, with what closes the object after them.
fn first<T: DeserializeOwned>(beginning: &[u8], fields: usize, close: &[u8]) -> Option<T> {
    let commas = beginning.iter().enumerate().filter(|(_, b)| **b == b',');
    let (end, _) = commas.take(fields).nth(fields - 1)?;
    let front = beginning.get(..end.min(MAX_FRONT))?;
    serde_json::from_slice(&[front, close].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SecretKey;

    #[test]
    fn the_beginning_is_enough() {
        let known = SecretKey::from_seed(&[1; 32]).public();
        let frame = format!(r#"{{"key":"{known}","macs":[{{"iss"#);
        assert_eq!(key(frame.as_bytes()), Some(known));
        let cut = &frame.as_bytes()[..frame.find(',').unwrap()];
        let later = format!(r#"{{"macs":[],"key":"{known}","#);
        let far = format!(r#"{{"key":{}"{known}","#, " ".repeat(MAX_FRONT));
        for unknown in [cut, later.as_bytes(), far.as_bytes(), b"", b",,,,"] {
            assert_eq!(key(unknown), None);
        }
        let text = "A".repeat(43);
        let proved = format!(
            r#"{{"proof":{{"key":"{known}","hello_challenge":"{text}=","challenge":"AAAA","v":1,"#
        );
        let front = proof(proved.as_bytes()).unwrap();
        assert_eq!((front.key, front.challenge.0.len()), (known, 3));
        assert!(key(proved.as_bytes()).is_none() && proof(frame.as_bytes()).is_none());
        assert!(proof(proved.replace("proof", "hello").as_bytes()).is_none());
    }
}
