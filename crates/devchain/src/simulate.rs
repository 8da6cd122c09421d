//! Running code without a transaction: calls, the gas they need, what they touch.

use alloy::consensus::Header;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::rpc::types::state::StateOverride;
use alloy::rpc::types::{AccessList, AccessListItem, BlockOverrides, TransactionRequest};
use alloy_evm::eth::EthEvmContext;
use alloy_evm::overrides::{apply_block_overrides, apply_state_overrides};
use alloy_evm::rpc::TryIntoTxEnv;
use alloy_evm::{EthEvmFactory, Evm, EvmEnv, EvmFactory};
use revm::Database as _;
use revm::context::TxEnv;
use revm::context::result::{ExecutionResult, ResultAndState, ResultGas};
use revm::database::CacheDB;
use revm::inspector::{Inspector, NoOpInspector};
use revm::state::EvmState;

use crate::chain::{Chain, View};
use crate::config::BLOCK_GAS_LIMIT;
use crate::execute::{Machine, environment};
use crate::rpc::RpcError;
use crate::trace::CallTracer;

/// Added to the estimate of a contract call: one storage slot that was in use when the estimate
/// was made and is not any more when the transaction is mined. Gas costs nothing here.
const ESTIMATE_SPARE_GAS: u64 = 22_100;
/// An estimate may exceed the least sufficient gas by this fraction; halves the number of runs.
const ESTIMATE_TOLERANCE: u64 = 64;
/// What a call with value hands to its callee on top, see EIP-150.
const STIPEND_GAS: u64 = 2_300;
/// The last address of a precompiled contract; they are never part of an access list.
const PRECOMPILE_LAST: u64 = 0x11;

/// Where and when code runs: the state, the block around it, and what to pretend.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) view: View<'a>,
    pub(crate) header: Header,
    pub(crate) state: Option<StateOverride>,
    pub(crate) block: Option<Box<BlockOverrides>>,
}

impl<'a> Scene<'a> {
    fn open(self, chain: &Chain) -> Result<Machine<'a>, RpcError> {
        self.open_with(chain, NoOpInspector)
    }

    fn open_with<I>(self, chain: &Chain, inspector: I) -> Result<Machine<'a, I>, RpcError>
    where
        I: Inspector<EthEvmContext<CacheDB<View<'a>>>>,
    {
        let mut database = CacheDB::new(self.view);
        let mut environment = environment(chain.id(), &self.header, true);
        if let Some(block) = self.block {
            apply_block_overrides(*block, &mut database, &mut environment.block_env);
        }
        if let Some(state) = self.state {
            apply_state_overrides(state, &mut database)
                .map_err(|error| RpcError::params(error.to_string()))?;
        }
        let factory = EthEvmFactory::default();
        Ok(factory.create_evm_with_inspector(database, environment, inspector))
    }
}

/// Runs `request` and returns its output.
pub(crate) fn call(
    chain: &Chain,
    scene: Scene<'_>,
    request: TransactionRequest,
) -> Result<Bytes, RpcError> {
    let mut machine = scene.open(chain)?;
    let transaction = simulated(&machine, request)?;
    succeed(&mut machine, transaction).map(|(_, output)| output)
}

/// Runs `request` under the eyes of `tracer`, whether it succeeds or not.
pub(crate) fn watch(
    chain: &Chain,
    scene: Scene<'_>,
    request: TransactionRequest,
    tracer: &mut CallTracer,
) -> Result<(), RpcError> {
    let mut machine = scene.open_with(chain, tracer)?;
    let transaction = simulated(&machine, request)?;
    run(&mut machine, transaction).map(drop)
}

/// Gas limit with which `request` succeeds.
pub(crate) fn estimate(
    chain: &Chain,
    scene: Scene<'_>,
    request: TransactionRequest,
) -> Result<u64, RpcError> {
    let mut machine = scene.open(chain)?;
    let is_plain = is_plain(&mut machine, &request);
    let transaction = simulated(&machine, request)?;
    let transaction = affordable(&mut machine, transaction)?;
    let most = transaction.gas_limit;
    let (gas, _) = succeed(&mut machine, transaction.clone())?;
    if is_plain {
        return Ok(gas.tx_gas_used());
    }
    let mut works = |gas_limit| {
        let transaction = transaction.clone();
        let transaction = TxEnv {
            gas_limit,
            ..transaction
        };
        succeed(&mut machine, transaction).is_ok()
    };
    Ok(least_gas(gas, most, &mut works)
        .saturating_add(ESTIMATE_SPARE_GAS)
        .min(most))
}

/// The accounts and slots `request` reads beyond those every transaction does, and the gas it
/// uses when it announces them. An inner failure is part of the answer.
pub(crate) fn access_list(
    chain: &Chain,
    scene: Scene<'_>,
    request: TransactionRequest,
) -> Result<(AccessList, u64, Option<RpcError>), RpcError> {
    let mut machine = scene.open(chain)?;
    let transaction = simulated(&machine, request)?;
    let ResultAndState { state, .. } = run(&mut machine, transaction.clone())?;
    let free = [transaction.caller, machine.block().beneficiary];
    let list = touched(&state, &free, transaction.kind.to().copied());
    let announced = TxEnv {
        access_list: list.clone(),
        ..transaction
    };
    let gas_limit = announced.gas_limit;
    let result = run(&mut machine, announced)?.result;
    let gas_used = result.gas().tx_gas_used();
    Ok((list, gas_used, output(result, gas_limit).err()))
}

fn touched(state: &EvmState, free: &[Address], target: Option<Address>) -> AccessList {
    let mut items: Vec<_> = state
        .iter()
        .map(|(address, account)| {
            let mut storage_keys: Vec<B256> =
                account.storage.keys().map(|key| (*key).into()).collect();
            storage_keys.sort_unstable();
            AccessListItem {
                address: *address,
                storage_keys,
            }
        })
        .filter(|item| {
            let is_free = free.contains(&item.address) || target == Some(item.address);
            let is_plain = is_free && item.storage_keys.is_empty();
            !is_plain && !is_precompile(item.address)
        })
        .collect();
    items.sort_unstable_by_key(|item| item.address);
    AccessList(items)
}

fn is_precompile(address: Address) -> bool {
    let number = U256::from_be_slice(address.as_slice());
    number <= U256::from(PRECOMPILE_LAST)
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

fn is_plain(machine: &mut Machine<'_>, request: &TransactionRequest) -> bool {
    let recipient = request.to.and_then(|to| to.to().copied());
    let mut has_code = |address| {
        let Ok(info) = machine.db_mut().basic(address);
        info.is_some_and(|info| !info.is_empty_code_hash())
    };
    recipient.is_some_and(|address| !has_code(address))
        && request.input.input().is_none_or(|input| input.is_empty())
}

/// A call as the EVM wants it; free of charge if it names no price, so that its sender needs no
/// balance for it.
fn simulated<'a, I>(
    machine: &Machine<'a, I>,
    request: TransactionRequest,
) -> Result<TxEnv, RpcError>
where
    I: Inspector<EthEvmContext<CacheDB<View<'a>>>>,
{
    let env = EvmEnv {
        cfg_env: machine.cfg_env().clone(),
        block_env: machine.block().clone(),
    };
    let is_priced = request.gas_price.or(request.max_fee_per_gas).is_some();
    let mut transaction: TxEnv = request
        .try_into_tx_env(&env)
        .map_err(|error| RpcError::rejected(error.to_string()))?;
    transaction.gas_limit = transaction
        .gas_limit
        .min(env.block_env.gas_limit)
        .min(BLOCK_GAS_LIMIT);
    if !is_priced {
        transaction.gas_price = 0;
        transaction.gas_priority_fee = transaction.gas_priority_fee.map(|_| 0);
    }
    Ok(transaction)
}

/// The transaction with no more gas than its sender can pay for.
fn affordable(machine: &mut Machine<'_>, transaction: TxEnv) -> Result<TxEnv, RpcError> {
    if transaction.gas_price == 0 {
        return Ok(transaction);
    }
    let Ok(info) = machine.db_mut().basic(transaction.caller);
    let balance = info.unwrap_or_default().balance;
    let rest = balance.saturating_sub(transaction.value);
    let most = rest / U256::from(transaction.gas_price);
    let gas_limit = transaction.gas_limit.min(most.saturating_to());
    if gas_limit == 0 {
        let message = "insufficient funds for gas * price + value";
        return Err(RpcError::rejected(message));
    }
    Ok(TxEnv {
        gas_limit,
        ..transaction
    })
}

fn run<'a, I>(machine: &mut Machine<'a, I>, transaction: TxEnv) -> Result<ResultAndState, RpcError>
where
    I: Inspector<EthEvmContext<CacheDB<View<'a>>>>,
{
    machine.transact_raw(transaction).map_err(RpcError::invalid)
}

fn output(result: ExecutionResult, gas_limit: u64) -> Result<(ResultGas, Bytes), RpcError> {
    match result {
        ExecutionResult::Success { gas, output, .. } => Ok((gas, output.into_data())),
        ExecutionResult::Revert { output, .. } => Err(RpcError::reverted(&output)),
        ExecutionResult::Halt { reason, .. } => Err(RpcError::halted(&reason, gas_limit)),
    }
}

fn succeed(machine: &mut Machine<'_>, transaction: TxEnv) -> Result<(ResultGas, Bytes), RpcError> {
    let gas_limit = transaction.gas_limit;
    output(run(machine, transaction)?.result, gas_limit)
}
