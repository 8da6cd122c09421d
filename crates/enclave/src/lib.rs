//! What runs inside the trusted unit.
//!
//! A worker never has a secret in its memory. For each confidential task it starts a child process
//! of the same program ([`worker::agent::SUBCOMMAND`], [`main`]): it attests itself to the secret
//! manager, gets what each stage may know, decrypts the inputs, runs the app, and encrypts and
//! signs the result (spec/secrets-tee.md §2). The worker gets back what is public: how the app
//! ended, what it printed, a digest, a signature, and an archive that only the beneficiary opens.
//!
//! It shares the worker's library, for the rules that hold for every task: where inputs may come
//! from, how an app is run, what a result is. The worker knows of it the command that starts it
//! and the words of [`worker::agent`].

mod agent;
mod environment;
mod host_api;
mod hosted;
mod post_compute;
mod pre_compute;
mod program;
mod ready;
mod redeem;
mod stages;
mod steps;
mod tsm;

pub use program::main;
pub use ready::{Unready, check};
