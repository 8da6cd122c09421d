//! The enclave's side: what asks a platform for evidence.

use crate::{Error, Event, EventLog, Platform};

/// A platform that can prove what it is. Blocking: a quote takes some milliseconds.
pub trait Attester: Send + Sync {
    /// Which kind of quotes it gives.
    fn platform(&self) -> Platform {
        Platform::Tdx
    }

    /// A quote over `report_data`, and over everything measured until now.
    ///
    /// # Errors
    /// [`Error::Platform`].
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, Error>;

    /// Measures an event, for good.
    ///
    /// # Errors
    /// [`Error::Platform`].
    fn extend(&self, event: Event) -> Result<(), Error>;

    /// All events measured until now.
    ///
    /// # Errors
    /// [`Error::Platform`].
    fn event_log(&self) -> Result<EventLog, Error>;
}
