//! Exact bytes: what was signed is taken as it was signed, or not at all.

use super::{cases, id, issue, secret};
use arctic::core::register::Item;
use arctic::domain::peer::PeerFields;
use arctic::domain::signed::Bytes;
use arctic::domain::{Address, Name, PeerRecord, PublicKey, Signed, Version};
use arctic::wire::peer;
use proptest::prelude::*;

fn record(incarnation: u64, start: u64, name: &str) -> Signed {
    let key = secret(1);
    let fields = PeerFields {
        v: 1,
        id: id(&key, 5),
        key: key.public(),
        address: Address::parse("10.0.0.1:8080").ok(),
        name: Name::parse_optional(name).unwrap_or_default(),
        incarnation,
        start,
        version: Version::own(),
    };
    PeerRecord::seal(fields, &key, &[issue(1)]).signed
}

fn flip(bytes: &mut [u8], bit: usize) {
    let at = bit % (bytes.len() * 8);
    bytes[at / 8] ^= 1 << (at % 8);
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_record_opens_as_it_was_sealed(n in 0u64..(1 << 53), start in 0u64..(1 << 53), name in "[a-z ]{0,20}") {
        let signed = record(n, start, &name);
        let travelled: Signed = serde_json::from_slice(&peer::to_bytes(&signed)).unwrap();
        assert_eq!(travelled, signed);
        let Ok(Item::Peer(opened)) = Item::open(travelled) else { panic!("refused") };
        assert_eq!((opened.fields.incarnation, opened.fields.start), (n, start));
        assert!(opened.signed.tagged_by(&[issue(1)]) && !opened.signed.tagged_by(&[issue(2)]));
    }

    #[test]
    fn a_flipped_bit_of_a_record_is_refused(bit in any::<usize>(), part in 0..4) {
        let mut signed = record(3, 4, "alice");
        match part {
            0 => flip(&mut signed.payload.0, bit),
            1 => flip(&mut signed.signature.0, bit),
            2 => {
                let mut key = *signed.key.as_bytes();
                flip(&mut key, bit);
                // Most of them are no key at all.
                let Ok(key) = PublicKey::from_bytes(&key) else { return Ok(()) };
                signed.key = key;
            }
            _ => {
                flip(&mut signed.tags[0].mac, bit);
                assert!(!signed.tagged_by(&[issue(1)]));
                return Ok(());
            }
        }
        assert!(Item::open(signed.clone()).is_err());
        assert!(part != 0 || !signed.tagged_by(&[issue(1)]), "the tag covers the bytes");
    }

    #[test]
    fn added_bytes_are_refused(extra in proptest::collection::vec(any::<u8>(), 1..50), front in any::<bool>()) {
        let mut signed = record(3, 4, "alice");
        let bytes = signed.payload.0;
        signed.payload = Bytes(if front { [extra, bytes].concat() } else { [bytes, extra].concat() });
        assert!(Item::open(signed).is_err());
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(peer::read::<peer::Frame>(&bytes));
        drop(peer::read_signed::<peer::Message>(&bytes));
        drop(peer::read_signed::<peer::Answer>(&bytes));
        drop(peer::read::<peer::Handshake>(&bytes));
        drop(peer::read::<peer::HandshakeAnswer>(&bytes));
    }
}
