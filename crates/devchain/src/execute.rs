//! Running transactions: into a block, as a call that leaves no trace, or to find their gas.

use alloy::consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Header, Transaction as _, TxEnvelope};
use alloy::primitives::{Address, Bloom, Bytes, U256, logs_bloom};
use alloy::rpc::types::TransactionRequest;
use alloy_evm::rpc::TryIntoTxEnv;
use alloy_evm::{EthEvmFactory, Evm, EvmEnv, EvmFactory};
use revm::DatabaseCommit;
use revm::context::result::{ExecutionResult, ResultGas};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::database::CacheDB;
use revm::inspector::NoOpInspector;
use revm::primitives::eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE;
use revm::primitives::hardfork::SpecId;
use revm::state::{Account, EvmState};

use crate::block::{Block, Mined};
use crate::chain::{Chain, View};
use crate::config::BLOCK_GAS_LIMIT;
use crate::event::Event;
use crate::rpc::RpcError;
use crate::state::{Change, Info};

/// Rules the EVM follows.
const RULES: SpecId = SpecId::PRAGUE;
/// Added to the estimate of a contract call: one storage slot that was in use when the estimate
/// was made and is not any more when the transaction is mined. Gas costs nothing here.
const ESTIMATE_SPARE_GAS: u64 = 22_100;
/// An estimate may exceed the least sufficient gas by this fraction; halves the number of runs.
const ESTIMATE_TOLERANCE: u64 = 64;
/// What a call with value hands to its callee on top, see EIP-150.
const STIPEND_GAS: u64 = 2_300;

type Machine<'a> = <EthEvmFactory as EvmFactory>::Evm<CacheDB<View<'a>>, NoOpInspector>;

fn machine<'a>(chain_id: u64, view: View<'a>, header: &Header, is_call: bool) -> Machine<'a> {
    let mut cfg_env = CfgEnv::new_with_spec(RULES).with_chain_id(chain_id);
    cfg_env.disable_nonce_check = is_call;
    cfg_env.disable_eip3607 = is_call;
    cfg_env.disable_base_fee = is_call;
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
    EthEvmFactory::default().create_evm(CacheDB::new(view), EvmEnv { cfg_env, block_env })
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
        let machine = machine(chain.id(), chain.latest(), &header, false);
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

    /// Closes the block.
    pub(crate) fn seal(self) -> Event {
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
        Event::Block {
            block: Box::new(Block::new(header, transactions)),
            changes,
        }
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

/// Runs `request` against `view` in the block described by `header` and returns its output.
pub(crate) fn call(
    chain: &Chain,
    view: View<'_>,
    header: &Header,
    request: TransactionRequest,
) -> Result<Bytes, RpcError> {
    let mut machine = machine(chain.id(), view, header, true);
    let transaction = simulated(&machine, header, request)?;
    succeed(&mut machine, transaction).map(|(_, output)| output)
}

/// Gas limit with which `request` succeeds in the block described by `header`.
pub(crate) fn estimate(
    chain: &Chain,
    view: View<'_>,
    header: &Header,
    request: TransactionRequest,
) -> Result<u64, RpcError> {
    let is_plain = is_plain(&view, &request);
    let mut machine = machine(chain.id(), view, header, true);
    let transaction = simulated(&machine, header, request)?;
    let most = transaction.gas_limit;
    let (gas, _) = succeed(&mut machine, transaction.clone())?;
    if is_plain {
        return Ok(gas.tx_gas_used());
    }
    let mut works = |gas_limit| {
        succeed(
            &mut machine,
            TxEnv {
                gas_limit,
                ..transaction.clone()
            },
        )
        .is_ok()
    };
    Ok(least_gas(gas, most, &mut works)
        .saturating_add(ESTIMATE_SPARE_GAS)
        .min(most))
}

/// Least gas that works, up to the tolerance; `most` is known to.
fn least_gas(gas: ResultGas, most: u64, works: &mut dyn FnMut(u64) -> bool) -> u64 {
    let mut low = gas.tx_gas_used().saturating_sub(1);
    let mut high = most;
    let mut guess = (gas.total_gas_spent() + STIPEND_GAS) / 63 * 64;
    while high - low > 1 + high / ESTIMATE_TOLERANCE {
        guess = guess.clamp(low + 1, high - 1);
        if works(guess) {
            high = guess
        } else {
            low = guess
        }
        guess = low + (high - low) / 2;
    }
    high
}

fn is_plain(view: &View<'_>, request: &TransactionRequest) -> bool {
    let recipient = request.to.and_then(|to| to.to().copied());
    let has_code = |address| {
        view.account(&address)
            .is_some_and(|info| !info.is_code_empty())
    };
    recipient.is_some_and(|address| !has_code(address))
        && request.input.input().is_none_or(|input| input.is_empty())
}

/// A call as the EVM wants it: free of charge, so that the sender needs no balance for it.
fn simulated(
    machine: &Machine<'_>,
    header: &Header,
    request: TransactionRequest,
) -> Result<TxEnv, RpcError> {
    let env = EvmEnv {
        cfg_env: machine.cfg_env().clone(),
        block_env: machine.block().clone(),
    };
    let mut transaction: TxEnv = request
        .try_into_tx_env(&env)
        .map_err(|error| RpcError::params(error.to_string()))?;
    transaction.gas_limit = transaction
        .gas_limit
        .min(header.gas_limit)
        .min(BLOCK_GAS_LIMIT);
    transaction.gas_price = 0;
    transaction.gas_priority_fee = transaction.gas_priority_fee.map(|_| 0);
    Ok(transaction)
}

fn succeed(machine: &mut Machine<'_>, transaction: TxEnv) -> Result<(ResultGas, Bytes), RpcError> {
    let gas_limit = transaction.gas_limit;
    match machine
        .transact_raw(transaction)
        .map_err(RpcError::invalid)?
        .result
    {
        ExecutionResult::Success { gas, output, .. } => Ok((gas, output.into_data())),
        ExecutionResult::Revert { output, .. } => Err(RpcError::reverted(&output)),
        ExecutionResult::Halt { reason, .. } => Err(RpcError::halted(&reason, gas_limit)),
    }
}
