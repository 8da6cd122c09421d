//! Who is on the other side: quotes, event logs, what they are bound to, and answers that only
//! they can open (spec/secrets-tee.md §5).
//!
//! Pure and synchronous; the secret manager and the enclave both use it:
//!
//! 1. the secret manager sends a signed [`Challenge`] for one stage of one task;
//! 2. the enclave makes a [`Recipient`], and asks its platform for a quote over the report data of
//!    the [`Binding`] that challenge and key form;
//! 3. the secret manager checks the quote with a [`Verifier`], what it says with [`appraise`], and
//!    answers with [`seal`], which only that recipient opens.

mod appraise;
mod attester;
mod binding;
mod collateral;
mod error;
mod event_log;
pub mod fuzz;
mod identity;
mod message;
mod policy;
mod seal;
mod shape;
mod text;
mod verify;

pub use appraise::appraise;
pub use attester::Attester;
pub use binding::Binding;
pub use collateral::{Answer, Answers, Collateral, Family, Issuer, Origin};
pub use error::{Error, Reason, Rejected};
pub use event_log::{EVENTS_MAX, Event, EventLog};
pub use identity::Identity;
pub use message::{Ask, Challenge, Platform, Redeem};
pub use policy::{Expected, Policy};
pub use protocol::stage::Stage;
pub use seal::{Recipient, Sealed, seal};
pub use shape::without_padding;
pub use verify::{Evidence, Measured, PlatformId, Trust, Verifier};

/// SHA-384: what TDX measures with.
pub type Digest = alloy_primitives::FixedBytes<48>;
