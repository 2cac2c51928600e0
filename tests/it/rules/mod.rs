//! One test for each rule of security and durability, seen to fail with the rule taken out.
//!
//! Belongs here: what must hold whatever is redrawn inside; real processes, the bytes on the wire, the
//! node's public inputs and outputs. Does not belong here: how the inside does it.

mod addresses;
mod api;
mod crowds;
mod deletions;
mod doorstep;
mod doubles;
mod durability;
mod ends;
mod evidence;
mod handshake;
mod identity;
mod license;
mod messages;
mod pace;
mod relay;
mod signed;
mod strangers;
mod unproved;
mod wakings;
mod web;
