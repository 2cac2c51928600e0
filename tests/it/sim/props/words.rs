//! Ids, addresses and licenses: what parses is what was printed, and garbage is refused calmly.

use super::{cases, secret};
use crate::host::license;
use crate::rng::Rng;
use crate::rogue::alter;
use arctic::domain::license::parse_issuers;
use arctic::domain::{Address, License, PeerId, SecretKey, ServiceId, Timestamp};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn ids_round_trip(time_ms in 0u64..(1 << 48), low in any::<[u8; 10]>()) {
        let made = ServiceId::from_parts(time_ms, low);
        assert_eq!(ServiceId::parse(&made.to_string()).unwrap(), made);
        assert_eq!(ServiceId::from_bytes(made.to_bytes()), made);
    }

    #[test]
    fn a_peer_id_matches_its_key_and_no_other(seed in any::<[u8; 32]>(), time_ms in 0u64..(1 << 48), other in any::<[u8; 32]>()) {
        let key = SecretKey::from_seed(&seed).public();
        let id = PeerId::derive(&key, time_ms);
        assert!(id.matches(&key) && PeerId::parse(&id.to_string()).unwrap() == id);
        assert_eq!(id.hash(), key.hash());
        assert!(seed == other || !id.matches(&SecretKey::from_seed(&other).public()));
    }

    #[test]
    fn garbage_is_no_id(text in "\\PC{0,40}", tail in "[0-9A-Za-z]{0,30}") {
        for text in [text, format!("peer_{tail}")] {
            if let Ok(id) = PeerId::parse(&text) {
                assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn addresses_round_trip(ip in any::<std::net::IpAddr>(), port in any::<u16>(), name in "[a-z][a-z0-9-]{0,20}(\\.[a-z][a-z0-9]{0,10}){0,3}") {
        let both = [Address::new(ip, port), Address::parse(&format!("{name}:{port}"))];
        for made in both.into_iter().flatten() {
            assert_eq!(Address::parse(&made.to_string()).unwrap(), made);
        }
    }

    #[test]
    fn garbage_is_no_address(text in "\\PC{0,60}", near in "[\\[\\]:.a-fA-F0-9%/@]{0,40}(:[0-9]{1,6})?") {
        for text in [text, near] {
            if let Ok(address) = Address::parse(&text) {
                assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
            }
        }
    }

    #[test]
    fn garbage_is_no_license(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,100}") {
        assert!(License::parse(&bytes).is_err());
        drop(parse_issuers(&text));
        drop(Timestamp::parse(&text));
    }

    #[test]
    fn an_altered_license_is_refused(seed in any::<u64>()) {
        let issuer = secret(9);
        let original = license(&issuer, 1, 10);
        let mut bytes = original.to_document().into_bytes();
        alter(&mut bytes, &mut Rng::new(seed));
        if let Ok(read) = License::parse(&bytes) {
            // White space between the fields carries no meaning.
            assert!(read == original || read.verify(&[issuer.public()]).is_err());
        }
    }
}
