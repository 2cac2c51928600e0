//! Arctic: peer management for clusters of appliances.
//!
//! (The map is written when the floors stand.)
#![forbid(unsafe_code)]

pub mod agent;
pub mod cli;
pub mod domain;
pub mod wire;
