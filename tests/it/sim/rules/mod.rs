//! Rules that need a chosen time, told with two or three hosts: each test was seen to fail with its
//! rule taken out.

mod addresses;
mod answers;
mod caller;
mod deadlines;
mod dials;
mod door;
mod doorstep;
mod durability;
mod goodbye;
mod license;
mod outsiders;
mod reservations;

/// A day of the simulation's time.
const DAY_MS: u64 = 86_400_000;
