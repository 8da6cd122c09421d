//! How many live streams may be open: each holds a connection and a little memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::Address;

use super::Refusal;

/// Streams open at once.
const STREAMS_MAX: usize = 1_024;
/// Of them those that nobody signed for: strangers leave half of the seats to requesters.
const ANONYMOUS_MAX: usize = 512;
/// Of them those of one requester: more than anybody looks at.
const OF_ONE_MAX: usize = 64;

/// The seats that are taken. Cheap clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<Option<Address>, usize>>>);

impl Seats {
    /// A seat for `reader`; none for those who did not sign.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when all are taken, [`Refusal::TooManyStreams`] when the reader has its
    /// share.
    pub(super) fn take(&self, reader: Option<Address>) -> Result<Seat, Refusal> {
        let mut taken = self.lock();
        if taken.values().sum::<usize>() >= STREAMS_MAX {
            return Err(Refusal::Busy);
        }
        let (share, refusal) = match reader {
            Some(_) => (OF_ONE_MAX, Refusal::TooManyStreams),
            None => (ANONYMOUS_MAX, Refusal::Busy),
        };
        let count = taken.entry(reader).or_default();
        if *count >= share {
            return Err(refusal);
        }
        *count += 1;
        let seats = self.clone();
        Ok(Seat { seats, reader })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<Address>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open stream; given back on drop.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    reader: Option<Address>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(count) = taken.get_mut(&self.reader) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.reader);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(seats: &Seats, reader: Option<Address>) -> Vec<Seat> {
        std::iter::from_fn(|| seats.take(reader).ok()).collect()
    }

    #[test]
    fn nobody_takes_all_seats() {
        let seats = Seats::default();
        let strangers = fill(&seats, None);
        assert_eq!(strangers.len(), ANONYMOUS_MAX);
        let one = Some(Address::repeat_byte(1));
        let mut own = fill(&seats, one);
        assert_eq!(own.len(), OF_ONE_MAX);
        assert!(matches!(seats.take(one), Err(Refusal::TooManyStreams)));
        own.pop();
        assert!(seats.take(one).is_ok());
        drop((strangers, own));
        assert!(seats.lock().is_empty());
    }

    #[test]
    fn there_is_an_end_of_seats() {
        let seats = Seats::default();
        let readers = (0..=u8::MAX).map(|byte| Some(Address::repeat_byte(byte)));
        let all: Vec<_> = readers.flat_map(|reader| fill(&seats, reader)).collect();
        assert_eq!(all.len(), STREAMS_MAX);
        assert!(matches!(seats.take(None), Err(Refusal::Busy)));
    }
}
