//! A machine and what is asked of it in terms of the contracts.
use std::ops::{Deref, DerefMut};

use alloy::primitives::{Address, B256, Bytes, Log, TxKind};
use alloy::sol_types::{Panic, Revert, SolCall, SolError, SolEvent, SolEventInterface};
use contracts::Hub;
use machine::Machine;
pub(crate) use machine::Tx;
use revm::context::result::{ExecutionResult, Output, ResultAndState};

/// When the chain begins, in seconds.
pub(crate) const GENESIS: u64 = 1_700_000_000;
pub(crate) const CHAIN_ID: u64 = 31_337;

pub(crate) struct Chain(Machine);

impl Deref for Chain {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.0
    }
}

impl DerefMut for Chain {
    fn deref_mut(&mut self) -> &mut Machine {
        &mut self.0
    }
}

/// A transaction that succeeded.
pub(crate) struct Receipt<T> {
    pub(crate) value: T,
    pub(crate) logs: Vec<Log>,
    pub(crate) gas: u64,
}

impl<T> Receipt<T> {
    /// Names of the hub's events in order.
    pub(crate) fn events(&self, hub: Address) -> Vec<String> {
        let ours = self.logs.iter().filter(|log| log.address == hub);
        ours.map(|log| name(&Hub::HubEvents::decode_log(log).unwrap().data))
            .collect()
    }

    /// The events of one type, whoever emitted them.
    pub(crate) fn find<E: SolEvent>(&self) -> Vec<E> {
        self.logs
            .iter()
            .filter_map(|log| E::decode_log(log).ok())
            .map(|log| log.data)
            .collect()
    }
}

fn name(event: &Hub::HubEvents) -> String {
    let text = format!("{event:?}");
    text[..text.find('(').unwrap()].to_owned()
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self(Machine::new(CHAIN_ID, GENESIS))
    }

    /// Sends a transaction. An error is the message, `panic 0x…`, nothing for a silent revert,
    /// otherwise the raw data.
    pub(crate) fn attempt<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        call: &C,
    ) -> Result<Receipt<C::Return>, String> {
        let result = self.transact(from, TxKind::Call(to), call.abi_encode().into());
        let gas = result.gas().tx_gas_used();
        let ExecutionResult::Success { output, logs, .. } = result else {
            return Err(reason(&result));
        };
        let value = C::abi_decode_returns(output.data()).unwrap();
        Ok(Receipt { value, logs, gas })
    }

    /// Sends a transaction that must succeed.
    pub(crate) fn act<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        call: &C,
    ) -> Receipt<C::Return> {
        let result = self.attempt(from, to, call);
        result.unwrap_or_else(|reason| panic!("{} failed: {reason}", C::SIGNATURE))
    }

    /// Sends a transaction that must fail, and returns why.
    pub(crate) fn refuse<C: SolCall>(&mut self, from: Address, to: Address, call: &C) -> String {
        let result = self.attempt(from, to, call);
        result
            .err()
            .unwrap_or_else(|| panic!("{} succeeded", C::SIGNATURE))
    }

    pub(crate) fn refuse_data(&mut self, from: Address, to: Address, data: Bytes) -> String {
        reason(&self.transact(from, TxKind::Call(to), data))
    }

    pub(crate) fn read<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        let result = self.ask(to, call.abi_encode().into());
        assert!(
            result.is_success(),
            "{} failed: {}",
            C::SIGNATURE,
            reason(&result)
        );
        C::abi_decode_returns(result.output().unwrap()).unwrap()
    }

    /// What a call answers; nothing of it stays.
    pub(crate) fn ask(&mut self, to: Address, data: Bytes) -> ExecutionResult {
        let tx = Tx {
            from: Address::ZERO,
            to,
            value: Default::default(),
            data,
        };
        self.0.try_out(&tx).unwrap().result
    }

    /// Runs a transaction of which nothing stays unless what it did is given to `keep`.
    pub(crate) fn try_out(&mut self, tx: &Tx) -> ResultAndState {
        self.0.try_out(tx).unwrap()
    }

    pub(crate) fn create(&mut self, from: Address, code: Bytes) -> Receipt<Address> {
        let result = self.transact(from, TxKind::Create, code);
        let gas = result.gas().tx_gas_used();
        let ExecutionResult::Success {
            output: Output::Create(_, Some(value)),
            logs,
            ..
        } = result
        else {
            panic!("creation failed: {}", reason(&result));
        };
        Receipt { value, logs, gas }
    }

    pub(crate) fn transact(&mut self, from: Address, to: TxKind, data: Bytes) -> ExecutionResult {
        self.0.transact(from, to, data).unwrap()
    }
}

fn reason(result: &ExecutionResult) -> String {
    match result {
        ExecutionResult::Revert { output, .. } => reason_of(output),
        _ => format!("{result:?}"),
    }
}

/// What a contract said when it refused.
pub(crate) fn reason_of(output: &Bytes) -> String {
    if let Ok(revert) = Revert::abi_decode(output) {
        return revert.reason;
    }
    match Panic::abi_decode(output) {
        Ok(panic) => format!("panic {:#04x}", panic.code),
        Err(_) if output.is_empty() => String::new(),
        Err(_) => output.to_string(),
    }
}

/// What `refuse` returns for a custom error.
pub(crate) fn error(error: &impl SolError) -> String {
    Bytes::from(error.abi_encode()).to_string()
}

/// Code of a contract that answers every call with one word.
pub(crate) fn answering(word: B256) -> Bytes {
    let push = [&[0x7f], word.as_slice()].concat();
    let store_and_return = [0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3];
    [push.as_slice(), &store_and_return].concat().into()
}
