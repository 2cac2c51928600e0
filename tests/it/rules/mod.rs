//! One test for each rule of security and durability, seen to fail with the rule taken out.

mod durability;
