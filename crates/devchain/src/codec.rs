//! The byte format of log records: fixed-width big-endian integers, length-prefixed
//! byte strings.

use alloy::primitives::{Address, B256, Bytes, U256};

/// A record that does not parse; the caller knows which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Builds a record.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn count(&mut self, value: usize) {
        self.u64(value as u64);
    }

    pub(crate) fn b256(&mut self, value: B256) {
        self.0.extend_from_slice(value.as_slice());
    }

    pub(crate) fn u256(&mut self, value: U256) {
        self.b256(value.into());
    }

    pub(crate) fn address(&mut self, value: Address) {
        self.0.extend_from_slice(value.as_slice());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.count(value.len());
        self.0.extend_from_slice(value);
    }
}

/// Takes a record apart, front to back.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(record: &'a [u8]) -> Self {
        Self(record)
    }

    /// Succeeds when everything was read, so that trailing rubbish is noticed.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A number of items, each at least one byte long, so a wrong one cannot exhaust memory.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.u64()?).map_err(|_| Malformed)?;
        if count <= self.0.len() {
            Ok(count)
        } else {
            Err(Malformed)
        }
    }

    pub(crate) fn b256(&mut self) -> Result<B256, Malformed> {
        Ok(B256::new(self.array()?))
    }

    pub(crate) fn u256(&mut self) -> Result<U256, Malformed> {
        Ok(self.b256()?.into())
    }

    pub(crate) fn address(&mut self) -> Result<Address, Malformed> {
        Ok(Address::new(self.array()?))
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let count = self.count()?;
        Ok(Bytes::copy_from_slice(self.take(count)?))
    }

    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        (0..self.count()?).map(|_| item(self)).collect()
    }
}
