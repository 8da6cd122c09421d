//! A machine that runs the contracts without a node around it.
use alloy::primitives::{Address, B256, Bytes, Log, TxKind, U256, keccak256};
use alloy::sol_types::{Panic, Revert, SolCall, SolError, SolEvent, SolEventInterface};
use contracts::Hub;
use revm::bytecode::Bytecode;
use revm::context::result::{ExecutionResult, Output};
use revm::context::{Context, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::MainnetContext;
use revm::state::AccountInfo;
use revm::{ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};

/// As much as a transaction may burn in these tests.
const GAS: u64 = 30_000_000;
/// When the chain begins, in seconds.
pub(crate) const GENESIS: u64 = 1_700_000_000;
pub(crate) const CHAIN_ID: u64 = 31_337;

pub(crate) struct Chain {
    evm: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
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
        let context = Context::mainnet()
            .with_db(CacheDB::<EmptyDB>::default())
            .modify_cfg_chained(|cfg| {
                cfg.chain_id = CHAIN_ID;
                cfg.disable_nonce_check = true;
                cfg.tx_gas_limit_cap = Some(u64::MAX);
            })
            .modify_block_chained(|block| {
                block.timestamp = U256::from(GENESIS);
                block.gas_limit = GAS;
            });
        Self {
            evm: context.build_mainnet(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.evm.ctx.block.timestamp.to()
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.evm.ctx.block.timestamp += U256::from(seconds);
    }

    /// Puts a contract with this code at an address.
    pub(crate) fn put_code(&mut self, address: Address, code: Bytes) {
        let info = AccountInfo {
            code_hash: keccak256(&code),
            code: Some(Bytecode::new_raw(code)),
            ..AccountInfo::default()
        };
        self.evm
            .ctx
            .journaled_state
            .database
            .insert_account_info(address, info);
    }

    pub(crate) fn code(&mut self, address: Address) -> Bytes {
        let info = revm::Database::basic(&mut self.evm.ctx.journaled_state.database, address);
        let code_hash = info.unwrap().unwrap().code_hash;
        let database = &mut self.evm.ctx.journaled_state.database;
        revm::Database::code_by_hash(database, code_hash)
            .unwrap()
            .original_bytes()
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
        let tx = transaction(Address::ZERO, TxKind::Call(to), call.abi_encode().into());
        let result = self.evm.transact(tx).unwrap().result;
        assert!(
            result.is_success(),
            "{} failed: {}",
            C::SIGNATURE,
            reason(&result)
        );
        C::abi_decode_returns(result.output().unwrap()).unwrap()
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
        self.evm
            .transact_commit(transaction(from, to, data))
            .unwrap()
    }
}

fn transaction(from: Address, kind: TxKind, data: Bytes) -> TxEnv {
    TxEnv {
        caller: from,
        kind,
        data,
        gas_limit: GAS,
        chain_id: Some(CHAIN_ID),
        ..TxEnv::default()
    }
}

fn reason(result: &ExecutionResult) -> String {
    let ExecutionResult::Revert { output, .. } = result else {
        return format!("{result:?}");
    };
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
