//! Mining, and going back.

use alloy::consensus::TxEnvelope;
use alloy::consensus::transaction::Recovered;
use alloy::primitives::{Address, B256, Bytes, U64};
use alloy::rpc::types::TransactionRequest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{done, yes};
use crate::chain::TIME_MAX;
use crate::config::BLOCK_GAS_LIMIT;
use crate::ledger::Ledger;
use crate::node::Node;
use crate::rpc::{Params, RpcError, transact, value};
use crate::session::Mining;
use crate::terms::Terms;

/// Blocks one request may mine by hand.
const MINE_BLOCKS_MAX: u64 = 10_000;
/// Transactions one reorganisation may bring.
const REORG_TRANSACTIONS_MAX: usize = 1024;
/// Most gas a block may be given: what one block may cost in time must stay a few seconds.
const GAS_LIMIT_MAX: u64 = 10 * BLOCK_GAS_LIMIT;

/// `evm_mine`, with the block's time in seconds as a number or as `{timestamp}`.
pub(super) fn mine_one(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let time = match params.opt::<Value>(0)? {
        Some(Value::Object(mut options)) => options.remove("timestamp"),
        time => time,
    };
    let time = Params::new(json!([time]))?.number(0)?;
    node.write(|ledger, now| {
        if let Some(time) = time {
            ledger.set_next_time(time, now)?;
        }
        ledger.mine(now).map_err(RpcError::internal)
    })?;
    Ok(json!("0x0"))
}

/// `anvil_mine(count, interval)`: so many blocks, their times `interval` seconds apart.
pub(super) fn mine(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let count = params.number(0)?.unwrap_or(1);
    let interval = params.number(1)?.unwrap_or(0).min(u64::from(u32::MAX));
    check_count(count)?;
    done(node.write(|ledger, now| {
        let last = ledger.chain.time(now).saturating_add(count * interval);
        if interval > 0 && last > TIME_MAX {
            return Err(RpcError::params(
                "the blocks would be too far in the future",
            ));
        }
        for index in 0..count {
            if index > 0 && interval > 0 {
                let time = ledger.chain.head().header.timestamp + interval;
                ledger.set_next_time(time, now)?;
            }
            ledger.mine(now).map_err(RpcError::internal)?;
        }
        Ok(())
    }))
}

fn check_count(count: u64) -> Result<(), RpcError> {
    if count <= MINE_BLOCKS_MAX {
        return Ok(());
    }
    let message = format!("cannot mine more than {MINE_BLOCKS_MAX} blocks");
    Err(RpcError::limit(message))
}

pub(super) fn snapshot(node: &Node) -> Result<Value, RpcError> {
    value(U64::from(node.write(|ledger, _| ledger.snapshot())?))
}

pub(super) fn revert(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let id = params.number(0)?.unwrap_or_default();
    Ok(json!(node.write(|ledger, _| ledger.revert(id))?))
}

/// `anvil_rollback(depth)`: gives up that many blocks.
pub(super) fn roll_back(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let depth = params.number(0)?.unwrap_or(1);
    done(node.write(|ledger, _| ledger.roll_back(depth)))
}

/// What a reorganisation brings: a transaction, and the index of its block among the new ones.
type Placed = (Brought, u64);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Brought {
    Raw(Bytes),
    Request(Box<TransactionRequest>),
}

/// `anvil_reorg(depth, transactions)`: puts as many new blocks in the place of the last ones. The
/// old blocks' transactions are gone unless they are brought again.
pub(super) fn reorganise(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let depth = params.number(0)?.unwrap_or_default();
    check_count(depth)?;
    let mut brought = params.opt::<Vec<Placed>>(1)?.unwrap_or_default();
    if brought.len() > REORG_TRANSACTIONS_MAX {
        return Err(RpcError::limit("too many transactions"));
    }
    if brought.iter().any(|(_, at)| *at >= depth) {
        return Err(RpcError::params("a transaction is beyond the new blocks"));
    }
    brought.sort_by_key(|(_, at)| *at);
    done(node.write(|ledger, now| {
        let prepare = |(brought, at)| prepare(node, ledger, brought).map(|ready| (ready, at));
        let brought: Vec<_> = brought
            .into_iter()
            .map(prepare)
            .collect::<Result<_, RpcError>>()?;
        ledger.roll_back(depth)?;
        for at in 0..depth {
            let placed = brought.iter().filter(|(_, place)| *place == at);
            let transactions = realise(node, ledger, placed.map(|(brought, _)| brought), now);
            ledger
                .mine_these(&transactions, now)
                .map_err(RpcError::internal)?;
        }
        Ok(())
    }))
}

/// A transaction of which everything was checked that does not depend on the chain.
enum Prepared {
    Signed(Box<Recovered<TxEnvelope>>),
    Request(Box<TransactionRequest>),
}

/// Refuses what must be refused while nothing has been given up yet.
fn prepare(node: &Node, ledger: &Ledger, brought: Brought) -> Result<Prepared, RpcError> {
    Ok(match brought {
        Brought::Raw(raw) => Prepared::Signed(Box::new(transact::recover(&raw)?)),
        Brought::Request(request) => {
            transact::signer(node, ledger, &request)?;
            Prepared::Request(request)
        }
    })
}

/// The transactions of one new block. What cannot be made one on the new chain is left out.
fn realise<'a>(
    node: &Node,
    ledger: &Ledger,
    prepared: impl Iterator<Item = &'a Prepared>,
    now: u64,
) -> Vec<Recovered<TxEnvelope>> {
    let mut transactions: Vec<Recovered<TxEnvelope>> = Vec::new();
    for prepared in prepared {
        let made = match prepared {
            Prepared::Signed(signed) => Ok((**signed).clone()),
            Prepared::Request(request) => {
                let mut request = (**request).clone();
                // Those before it in its block are not mined yet.
                let from = request.from.unwrap_or_default();
                let earlier = transactions.iter().filter(|sent| sent.signer() == from);
                let next = ledger.chain.nonce(&from) + earlier.count() as u64;
                request.nonce.get_or_insert(next);
                transact::complete(node, ledger, request, now)
            }
        };
        match made {
            Ok(made) => transactions.push(made),
            Err(error) => tracing::warn!(%error, "left a request out of a reorganised block"),
        }
    }
    transactions
}

/// `anvil_reset`: the chain begins again. There is nothing to fork from here.
pub(super) fn reset(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let options = params.opt::<Value>(0)?;
    if options.is_some_and(|options| options.get("forking").is_some_and(|fork| !fork.is_null())) {
        return Err(RpcError::params("this node does not fork other chains"));
    }
    node.set_mining(Mining::AtOnce)?;
    done(node.write(|ledger, now| ledger.reset(now).map_err(RpcError::internal)))
}

pub(super) fn set_automine(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let wanted = params.get::<bool>(0)?;
    let mining = node.read().session.mining;
    let mining = match (wanted, mining) {
        (true, _) => Mining::AtOnce,
        (false, Mining::AtOnce) => Mining::ByHand,
        (false, other) => other,
    };
    done(node.set_mining(mining))
}

pub(super) fn automine(node: &Node) -> Result<Value, RpcError> {
    Ok(json!(node.read().session.mining == Mining::AtOnce))
}

/// `evm_setIntervalMining(seconds)`: 0 means that nothing is mined until somebody asks.
pub(super) fn set_interval(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let missing = || RpcError::params("missing number of seconds");
    let mining = match params.number(0)?.ok_or_else(missing)? {
        0 => Mining::ByHand,
        seconds => Mining::Every(seconds.min(u64::from(u32::MAX))),
    };
    done(node.set_mining(mining))
}

pub(super) fn interval(node: &Node) -> Result<Value, RpcError> {
    Ok(match node.read().session.mining {
        Mining::Every(seconds) => json!(seconds),
        _ => Value::Null,
    })
}

fn change_terms(node: &Node, change: impl FnOnce(Terms) -> Terms) -> Result<(), RpcError> {
    node.write(|ledger, _| {
        let terms = change(ledger.chain.terms());
        ledger.set_terms(terms).map_err(RpcError::internal)
    })
}

pub(super) fn set_coinbase(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let coinbase = params.get::<Address>(0)?;
    done(change_terms(node, |terms| Terms { coinbase, ..terms }))
}

pub(super) fn set_gas_limit(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let gas_limit = params.number(0)?.unwrap_or_default();
    if !(1..=GAS_LIMIT_MAX).contains(&gas_limit) {
        return Err(RpcError::params("invalid gas limit"));
    }
    yes(change_terms(node, |terms| Terms { gas_limit, ..terms }))
}

/// The next block has this base fee; those after it are free again.
pub(super) fn set_base_fee(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let missing = || RpcError::params("missing base fee");
    let base_fee = Some(params.number(0)?.ok_or_else(missing)?);
    done(change_terms(node, |terms| Terms { base_fee, ..terms }))
}

pub(super) fn set_randao(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let randao = Some(params.get::<B256>(0)?);
    done(change_terms(node, |terms| Terms { randao, ..terms }))
}
