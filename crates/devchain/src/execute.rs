//! Running transactions into blocks.

use alloy::consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Header, Transaction as _, TxEnvelope};
use alloy::primitives::{Address, Bloom, U256, logs_bloom};
use alloy_evm::{EthEvmFactory, Evm, EvmEnv, EvmFactory};
use revm::DatabaseCommit;
use revm::context::result::ExecutionResult;
use revm::context::{BlockEnv, CfgEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::database::CacheDB;
use revm::inspector::NoOpInspector;
use revm::primitives::eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE;
use revm::primitives::hardfork::SpecId;
use revm::state::{Account, EvmState};

use crate::block::{Block, Mined};
use crate::chain::{Chain, View};
use crate::event::Event;
use crate::rpc::RpcError;
use crate::state::{Change, Info};
use crate::trace::CallTracer;

/// Rules the EVM follows.
const RULES: SpecId = SpecId::PRAGUE;

pub(crate) type Machine<'a, I = NoOpInspector> =
    <EthEvmFactory as EvmFactory>::Evm<CacheDB<View<'a>>, I>;

/// The rules and the block that code runs under. A call may come from anybody; a transaction has
/// its nonce in order and pays the base fee. Accounts with code may send either: nobody has the
/// key of a contract, so only an impersonated account can be meant.
pub(crate) fn environment(chain_id: u64, header: &Header, is_call: bool) -> EvmEnv {
    let mut cfg_env = CfgEnv::new_with_spec(RULES).with_chain_id(chain_id);
    cfg_env.disable_nonce_check = is_call;
    cfg_env.disable_base_fee = is_call;
    cfg_env.disable_eip3607 = true;
    let fraction = BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE;
    let block_env = BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        prevrandao: Some(header.mix_hash),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new(0, fraction)),
        ..BlockEnv::default()
    };
    EvmEnv { cfg_env, block_env }
}

/// Whether the transaction could be mined if its nonce were next: what can be said about it while
/// it waits.
pub(crate) fn admit(
    chain: &Chain,
    timestamp: u64,
    transaction: &Recovered<TxEnvelope>,
) -> Result<(), RpcError> {
    let mut environment = environment(chain.id(), &chain.next_header(timestamp), false);
    environment.cfg_env.disable_nonce_check = true;
    let database = CacheDB::new(chain.latest());
    let mut machine = EthEvmFactory::default().create_evm(database, environment);
    let outcome = machine.transact(transaction);
    outcome.map(drop).map_err(RpcError::invalid)
}

/// Runs a mined transaction again as it ran, with `tracer` watching; returns its gas limit and
/// the gas it used.
pub(crate) fn repeat(
    chain: &Chain,
    block: &Block,
    index: usize,
    tracer: &mut CallTracer,
) -> Result<(u64, u64), RpcError> {
    let before = block.header.number.saturating_sub(1);
    let environment = environment(chain.id(), &block.header, false);
    let database = CacheDB::new(chain.at(before)?);
    let factory = EthEvmFactory::default();
    let mut machine = factory.create_evm_with_inspector(database, environment, tracer);
    machine.disable_inspector();
    let sent = |mined: &Mined| Recovered::new_unchecked(mined.transaction.clone(), mined.sender);
    for mined in block.transactions.iter().take(index) {
        let outcome = machine.transact(sent(mined)).map_err(RpcError::invalid)?;
        machine.db_mut().commit(outcome.state);
    }
    machine.enable_inspector();
    let mined = &block.transactions[index];
    let outcome = machine.transact(sent(mined)).map_err(RpcError::invalid)?;
    Ok((
        mined.transaction.gas_limit(),
        outcome.result.gas().tx_gas_used(),
    ))
}

/// A block in the making.
pub(crate) struct Builder<'a> {
    machine: Machine<'a>,
    header: Header,
    transactions: Vec<Mined>,
    changes: Vec<Change>,
}

impl<'a> Builder<'a> {
    /// Starts the block after `chain`'s head; `timestamp` in seconds.
    pub(crate) fn new(chain: &'a Chain, timestamp: u64) -> Self {
        let header = chain.next_header(timestamp);
        let environment = environment(chain.id(), &header, false);
        let database = CacheDB::new(chain.latest());
        let machine = EthEvmFactory::default().create_evm(database, environment);
        Self {
            machine,
            header,
            transactions: Vec::new(),
            changes: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Whether the block has room for all the gas the transaction may use.
    pub(crate) fn fits(&self, transaction: &TxEnvelope) -> bool {
        transaction.gas_limit() <= self.header.gas_limit - self.header.gas_used
    }

    /// Executes the transaction; an error means it was not valid and the block is as before.
    /// A transaction that reverts is valid.
    pub(crate) fn push(&mut self, transaction: &Recovered<TxEnvelope>) -> Result<(), RpcError> {
        let outcome = self
            .machine
            .transact(transaction)
            .map_err(RpcError::invalid)?;
        self.changes
            .extend(changes(self.machine.db_mut(), &outcome.state));
        self.machine.db_mut().commit(outcome.state);
        let gas_used = outcome.result.gas().tx_gas_used();
        self.header.gas_used += gas_used;
        self.transactions.push(Mined {
            sender: transaction.signer(),
            transaction: transaction.inner().clone(),
            success: outcome.result.is_success(),
            gas_used,
            gas_total: self.header.gas_used,
            logs: match outcome.result {
                ExecutionResult::Success { logs, .. } => logs,
                _ => Vec::new(),
            },
        });
        Ok(())
    }

    /// Closes the block, to be appended.
    pub(crate) fn seal(self) -> Event {
        let (block, changes) = self.finish();
        let block = Box::new(block);
        Event::Block { block, changes }
    }

    /// Closes the block; also says what it changes.
    pub(crate) fn finish(self) -> (Block, Vec<Change>) {
        let Self {
            mut header,
            transactions,
            changes,
            ..
        } = self;
        let envelopes: Vec<_> = transactions
            .iter()
            .map(|mined| &mined.transaction)
            .collect();
        header.transactions_root = calculate_transaction_root(&envelopes);
        let receipts: Vec<_> = transactions.iter().map(Mined::receipt).collect();
        header.receipts_root = calculate_receipt_root(&receipts);
        header.logs_bloom = transactions.iter().fold(Bloom::ZERO, |bloom, mined| {
            bloom | logs_bloom(mined.logs.iter())
        });
        (Block::new(header, transactions), changes)
    }
}

/// What a transaction changed, relative to `before`.
fn changes(before: &mut CacheDB<View<'_>>, state: &EvmState) -> Vec<Change> {
    let touched = state.iter().filter(|(_, account)| account.is_touched());
    touched
        .flat_map(|(address, account)| account_changes(before, *address, account))
        .collect()
}

fn account_changes(before: &CacheDB<View<'_>>, address: Address, account: &Account) -> Vec<Change> {
    use revm::DatabaseRef as _;
    let Ok(old) = before.basic_ref(address);
    if account.is_selfdestructed() || account.is_empty() {
        return old
            .map(|_| Change::Destroyed(address))
            .into_iter()
            .collect();
    }
    let mut changes = Vec::new();
    let info = Info::from(&account.info);
    if let Some(code) = account.info.code.as_ref().filter(|code| !code.is_empty())
        && old
            .as_ref()
            .is_none_or(|old| old.code_hash != info.code_hash)
    {
        changes.push(Change::Code(code.original_bytes()));
    }
    if old.is_none_or(|old| Info::from(&old) != info) {
        changes.push(Change::Account(address, info));
    }
    let slots = account.changed_storage_slots();
    changes.extend(slots.map(|(key, slot)| Change::Slot(address, *key, slot.present_value)));
    changes
}
