use crate::core::schedule::TokenBucket;

/// A bucket that is forgotten when it is full forgives nobody.
#[test]
fn a_bucket_is_full_once_it_gives_what_a_new_one_gives() {
    let mut bucket = TokenBucket::new(2, 4);
    assert!(bucket.is_full(0));
    assert!(bucket.take(0) && !bucket.is_full(0));
    assert!(!bucket.is_full(249) && bucket.is_full(250));
    assert!(bucket.take(250) && bucket.take(250) && !bucket.is_full(500));
    assert!(bucket.is_full(750));
}
