//! The black-box tests of Arctic: one binary, real processes, the contract from outside.

mod chosen;
mod cli;
mod contexts;
mod crash;
mod departure;
mod dev;
mod harness;
mod http;
mod license;
mod membership;
mod netns;
mod oauth;
mod page;
mod pages;
mod prompts;
mod rules;
mod server;
mod services;
mod source;
mod start;
mod tidy;
mod vectors;
