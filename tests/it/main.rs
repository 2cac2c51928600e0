//! The black-box tests of Arctic: one binary, real processes, the contract from outside.

mod harness;
mod page;
mod source;
mod tidy;
