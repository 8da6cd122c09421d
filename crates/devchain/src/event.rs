//! Everything that can happen to a chain. A chain is the sum of its events: applying them in order
//! is the only way it changes, and the log on disk is their list.

use alloy::consensus::{Header, TxEnvelope};
use alloy::eips::{Decodable2718, Encodable2718};
use alloy::primitives::{Address, Log, U256};
use alloy::rlp::Decodable;

use crate::block::{Block, Mined};
use crate::codec::{Malformed, Reader, Writer};
use crate::state::{Change, Info};
use crate::terms::Terms;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The chain began, with these balances.
    Genesis {
        chain_id: u64,
        timestamp: u64,
        alloc: Vec<(Address, U256)>,
    },
    /// A block was mined, with these effects on the state.
    Block {
        block: Box<Block>,
        changes: Vec<Change>,
    },
    /// A balance was set by hand.
    Balance(Address, U256),
    /// The clock was moved: distance from the wall clock, and the exact time of the next block.
    Clock { offset: i64, next: Option<u64> },
    /// A snapshot was taken; ids count from 1.
    Snapshot,
    /// The chain went back to a snapshot.
    Revert(u64),
    /// The state was changed by hand.
    Changes(Vec<Change>),
    /// The blocks after this one were given up; those that follow will differ from them.
    Rollback(u64),
    /// How coming blocks are to look was set by hand.
    Terms(Terms),
}

impl Event {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Genesis {
                chain_id,
                timestamp,
                alloc,
            } => {
                out.u8(0);
                out.u64(*chain_id);
                out.u64(*timestamp);
                write_list(&mut out, alloc, |out, (address, balance)| {
                    out.address(*address);
                    out.u256(*balance);
                });
            }
            Self::Block { block, changes } => {
                out.u8(1);
                out.bytes(&alloy::rlp::encode(&block.header));
                write_list(&mut out, &block.transactions, write_mined);
                write_list(&mut out, changes, write_change);
            }
            Self::Balance(address, balance) => {
                out.u8(2);
                out.address(*address);
                out.u256(*balance);
            }
            Self::Clock { offset, next } => {
                out.u8(3);
                out.u64(offset.cast_unsigned());
                write_list(&mut out, next.as_slice(), |out, next| out.u64(*next));
            }
            Self::Snapshot => out.u8(4),
            Self::Revert(id) => {
                out.u8(5);
                out.u64(*id);
            }
            Self::Changes(changes) => {
                out.u8(6);
                write_list(&mut out, changes, write_change);
            }
            Self::Rollback(number) => {
                out.u8(7);
                out.u64(*number);
            }
            Self::Terms(terms) => {
                out.u8(8);
                write_terms(&mut out, terms);
            }
        }
        out.0
    }

    pub(crate) fn decode(record: &[u8]) -> Result<Self, Malformed> {
        let input = &mut Reader::new(record);
        let event = match input.u8()? {
            0 => Self::Genesis {
                chain_id: input.u64()?,
                timestamp: input.u64()?,
                alloc: input.list(|input| Ok((input.address()?, input.u256()?)))?,
            },
            1 => {
                let header = Header::decode(&mut &input.bytes()?[..]).map_err(|_| Malformed)?;
                let block = Box::new(Block::new(header, input.list(read_mined)?));
                Self::Block {
                    block,
                    changes: input.list(read_change)?,
                }
            }
            2 => Self::Balance(input.address()?, input.u256()?),
            3 => Self::Clock {
                offset: input.u64()?.cast_signed(),
                next: input.list(Reader::u64)?.first().copied(),
            },
            4 => Self::Snapshot,
            5 => Self::Revert(input.u64()?),
            6 => Self::Changes(input.list(read_change)?),
            7 => Self::Rollback(input.u64()?),
            8 => Self::Terms(read_terms(input)?),
            _ => return Err(Malformed),
        };
        input.end()?;
        Ok(event)
    }
}

fn write_list<T>(out: &mut Writer, items: &[T], item: impl Fn(&mut Writer, &T)) {
    out.count(items.len());
    for value in items {
        item(out, value);
    }
}

fn write_terms(out: &mut Writer, terms: &Terms) {
    out.address(terms.coinbase);
    out.u64(terms.gas_limit);
    write_list(out, terms.spacing.as_slice(), |out, value| out.u64(*value));
    write_list(out, terms.base_fee.as_slice(), |out, value| out.u64(*value));
    write_list(out, terms.randao.as_slice(), |out, value| out.b256(*value));
}

fn read_terms(input: &mut Reader<'_>) -> Result<Terms, Malformed> {
    Ok(Terms {
        coinbase: input.address()?,
        gas_limit: input.u64()?,
        spacing: input.list(Reader::u64)?.first().copied(),
        base_fee: input.list(Reader::u64)?.first().copied(),
        randao: input.list(Reader::b256)?.first().copied(),
    })
}

fn write_mined(out: &mut Writer, mined: &Mined) {
    out.address(mined.sender);
    out.bytes(&mined.transaction.encoded_2718());
    out.u8(mined.success.into());
    out.u64(mined.gas_used);
    out.u64(mined.gas_total);
    write_list(out, &mined.logs, |out, log| {
        out.address(log.address);
        write_list(out, log.topics(), |out, topic| out.b256(*topic));
        out.bytes(&log.data.data);
    });
}

fn read_mined(input: &mut Reader<'_>) -> Result<Mined, Malformed> {
    Ok(Mined {
        sender: input.address()?,
        transaction: TxEnvelope::decode_2718_exact(&input.bytes()?).map_err(|_| Malformed)?,
        success: input.u8()? == 1,
        gas_used: input.u64()?,
        gas_total: input.u64()?,
        logs: input.list(|input| {
            let address = input.address()?;
            Log::new(address, input.list(Reader::b256)?, input.bytes()?).ok_or(Malformed)
        })?,
    })
}

fn write_change(out: &mut Writer, change: &Change) {
    match change {
        Change::Account(address, info) => {
            out.u8(0);
            out.address(*address);
            out.u256(info.balance);
            out.u64(info.nonce);
            out.b256(info.code_hash);
        }
        Change::Destroyed(address) => {
            out.u8(1);
            out.address(*address);
        }
        Change::Slot(address, key, value) => {
            out.u8(2);
            out.address(*address);
            out.u256(*key);
            out.u256(*value);
        }
        Change::Code(code) => {
            out.u8(3);
            out.bytes(code);
        }
    }
}

fn read_change(input: &mut Reader<'_>) -> Result<Change, Malformed> {
    Ok(match input.u8()? {
        0 => {
            let address = input.address()?;
            let (balance, nonce) = (input.u256()?, input.u64()?);
            Change::Account(
                address,
                Info {
                    balance,
                    nonce,
                    code_hash: input.b256()?,
                },
            )
        }
        1 => Change::Destroyed(input.address()?),
        2 => Change::Slot(input.address()?, input.u256()?, input.u256()?),
        3 => Change::Code(input.bytes()?),
        _ => return Err(Malformed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::B256;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = B256> {
        any::<[u8; 32]>().prop_map(B256::new)
    }

    fn address() -> impl Strategy<Value = Address> {
        any::<[u8; 20]>().prop_map(Address::new)
    }

    fn change() -> impl Strategy<Value = Change> {
        let info = (word(), any::<u64>(), word()).prop_map(|(balance, nonce, code_hash)| Info {
            balance: balance.into(),
            nonce,
            code_hash,
        });
        prop_oneof![
            (address(), info).prop_map(|(address, info)| Change::Account(address, info)),
            address().prop_map(Change::Destroyed),
            (address(), word(), word()).prop_map(|(address, key, value)| Change::Slot(
                address,
                key.into(),
                value.into()
            )),
            any::<Vec<u8>>().prop_map(|code| Change::Code(code.into())),
        ]
    }

    fn terms() -> impl Strategy<Value = Terms> {
        let numbers = any::<(u64, Option<u64>, Option<u64>)>();
        (address(), numbers, prop::option::of(word())).prop_map(|(coinbase, numbers, randao)| {
            let (gas_limit, spacing, base_fee) = numbers;
            Terms {
                coinbase,
                gas_limit,
                spacing,
                base_fee,
                randao,
            }
        })
    }

    fn event() -> impl Strategy<Value = Event> {
        let alloc = prop::collection::vec((address(), word().prop_map(|word| word.into())), 0..4);
        let changes = prop::collection::vec(change(), 0..8);
        prop_oneof![
            (any::<u64>(), any::<u64>(), alloc).prop_map(|(chain_id, timestamp, alloc)| {
                Event::Genesis {
                    chain_id,
                    timestamp,
                    alloc,
                }
            }),
            (any::<u64>(), changes).prop_map(|(number, changes)| {
                let header = Header {
                    number,
                    base_fee_per_gas: Some(0),
                    ..Header::default()
                };
                Event::Block {
                    block: Box::new(Block::new(header, Vec::new())),
                    changes,
                }
            }),
            (address(), word()).prop_map(|(address, value)| Event::Balance(address, value.into())),
            (any::<i64>(), any::<Option<u64>>())
                .prop_map(|(offset, next)| Event::Clock { offset, next }),
            Just(Event::Snapshot),
            any::<u64>().prop_map(Event::Revert),
            prop::collection::vec(change(), 0..8).prop_map(Event::Changes),
            any::<u64>().prop_map(Event::Rollback),
            terms().prop_map(Event::Terms),
        ]
    }

    proptest! {
        #[test]
        fn events_survive_the_log(event in event()) {
            prop_assert_eq!(Event::decode(&event.encode()), Ok(event));
        }

        #[test]
        fn a_shortened_record_is_malformed(event in event(), cut in 1..50usize) {
            let record = event.encode();
            let shorter = &record[..record.len().saturating_sub(cut)];
            prop_assert_eq!(Event::decode(shorter), Err(Malformed));
        }

        #[test]
        fn rubbish_never_panics(record in any::<Vec<u8>>()) {
            let _ = Event::decode(&record);
        }
    }
}
