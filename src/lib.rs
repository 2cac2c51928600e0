//! Arctic: peer management for clusters of appliances.
//!
//! (The map is written when the floors stand.)
#![forbid(unsafe_code)]

pub mod agent;
pub mod core;
pub mod domain;
pub mod node;
pub mod store;
pub mod transport;
pub mod wire;
