//! What runs inside the trusted unit.
//!
//! A worker never has a secret in its memory. For each confidential task it starts a child process
//! of the same program ([`worker::agent::SUBCOMMAND`], [`main`]): it attests itself to the secret
//! manager, gets what each stage may know, decrypts the inputs, runs the app, and encrypts and
//! signs the result (spec/secrets-tee.md §2). The worker gets back what is public: how the app
//! ended, what it printed, a digest, a signature, and an archive that only the beneficiary opens.

mod cipher;
mod environment;
mod post_compute;
mod pre_compute;

pub use environment::StageEnvironment;
pub use post_compute::{Computed, Place, post_compute};
pub use pre_compute::{Room, pre_compute};
