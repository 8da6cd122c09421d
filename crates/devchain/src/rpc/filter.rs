//! Logs by query and by filter.

use std::collections::{HashMap, VecDeque};

use alloy::primitives::{B256, U64};
use alloy::rpc::types::{Filter, FilterBlockOption, Log as RpcLog};
use serde_json::{Value, json};

use super::query::number;
use super::{Params, RpcError, present, value};
use crate::chain::Chain;
use crate::node::Node;

/// Logs in one answer; more means the query has to be split into smaller block ranges.
pub const LOGS_RESULTS_MAX: usize = 20_000;
/// Filters kept at a time, over all clients.
pub const FILTERS_MAX: usize = 1024;
/// A filter nobody polled for this long makes room for others, as in geth.
pub const FILTER_IDLE_SECONDS: u64 = 300;
/// Addresses and topics of one filter, so that those kept stay small; geth allows 1000 addresses.
pub const FILTER_TERMS_MAX: usize = 1024;
/// Arrivals of transactions remembered for filters; who polls too rarely misses the oldest.
pub const ARRIVALS_MAX: usize = 8192;

#[derive(Debug)]
enum Kind {
    Blocks,
    Logs(Box<Filter>),
    /// Transactions taken in.
    Transactions,
}

#[derive(Debug)]
struct Installed {
    kind: Kind,
    /// First block, or arrival of a transaction, not yet reported.
    next: u64,
    /// Wall-clock seconds of the last poll.
    polled: u64,
}

/// The filters clients have installed.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    installed: HashMap<u64, Installed>,
    last_id: u64,
    arrivals: VecDeque<B256>,
    /// Arrivals ever.
    arrived: u64,
}

impl Filters {
    /// A transaction was taken in.
    pub(crate) fn note_arrival(&mut self, hash: B256) {
        if self.arrivals.len() >= ARRIVALS_MAX {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(hash);
        self.arrived += 1;
    }

    fn arrivals_since(&self, next: u64) -> Vec<B256> {
        let first = self.arrived - self.arrivals.len() as u64;
        let skip = usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX);
        self.arrivals.iter().skip(skip).copied().collect()
    }

    fn install(&mut self, kind: Kind, next: u64, now: u64) -> Result<u64, RpcError> {
        if self.installed.len() >= FILTERS_MAX {
            self.installed
                .retain(|_, filter| filter.polled + FILTER_IDLE_SECONDS > now);
        }
        if self.installed.len() >= FILTERS_MAX {
            return Err(RpcError::limit("too many filters"));
        }
        self.last_id += 1;
        self.installed.insert(
            self.last_id,
            Installed {
                kind,
                next,
                polled: now,
            },
        );
        Ok(self.last_id)
    }

    fn get(&mut self, id: u64, now: u64) -> Result<&mut Installed, RpcError> {
        let missing = || RpcError::rejected("filter not found");
        let filter = self.installed.get_mut(&id).ok_or_else(missing)?;
        filter.polled = now;
        Ok(filter)
    }
}

/// The filter a request asks for, if it is not too large to be kept.
pub(crate) fn wanted(params: &mut Params, index: usize) -> Result<Filter, RpcError> {
    let filter = params.opt::<Filter>(index)?.unwrap_or_default();
    let topics = filter.topics.iter().map(|topic| topic.len());
    if filter.address.len() + topics.sum::<usize>() > FILTER_TERMS_MAX {
        return Err(RpcError::params("too many addresses or topics"));
    }
    Ok(filter)
}

pub(super) fn logs(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let filter = wanted(params, 0)?;
    value(select(&node.read().chain, &filter)?)
}

/// All logs the filter selects.
fn select(chain: &Chain, filter: &Filter) -> Result<Vec<RpcLog>, RpcError> {
    let (first, last) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let number = chain
                .number_of(&hash)
                .ok_or_else(|| RpcError::rejected("unknown block"))?;
            (number, number)
        }
        FilterBlockOption::Range {
            from_block,
            to_block,
        } => {
            let first = number(chain, from_block.unwrap_or_default());
            let last = number(chain, to_block.unwrap_or_default());
            if first > last && to_block.is_some_and(|tag| tag.is_number()) {
                return Err(RpcError::params("invalid block range params"));
            }
            (first, last)
        }
    };
    between(chain, filter, first, last)
}

fn between(chain: &Chain, filter: &Filter, first: u64, last: u64) -> Result<Vec<RpcLog>, RpcError> {
    let blocks = chain.blocks(first, last).iter();
    let logs = blocks.flat_map(|block| present::matching(block, filter));
    let logs: Vec<_> = logs.take(LOGS_RESULTS_MAX + 1).collect();
    if logs.len() > LOGS_RESULTS_MAX {
        let message = format!("query returned more than {LOGS_RESULTS_MAX} results");
        return Err(RpcError::limit(message));
    }
    Ok(logs)
}

fn install(node: &Node, kind: Kind) -> Result<Value, RpcError> {
    let next = node.read().chain.head_number() + 1;
    value(U64::from(node.filters().install(
        kind,
        next,
        node.wall_time(),
    )?))
}

pub(super) fn new_logs(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    install(node, Kind::Logs(Box::new(wanted(params, 0)?)))
}

pub(super) fn new_blocks(node: &Node) -> Result<Value, RpcError> {
    install(node, Kind::Blocks)
}

pub(super) fn new_transactions(node: &Node) -> Result<Value, RpcError> {
    let mut filters = node.filters();
    let next = filters.arrived;
    value(U64::from(filters.install(
        Kind::Transactions,
        next,
        node.wall_time(),
    )?))
}

/// What is new since the last poll.
pub(super) fn changes(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let id = params.get::<U64>(0)?.to();
    let ledger = node.read();
    let chain = &ledger.chain;
    let head = chain.head_number();
    let mut filters = node.filters();
    let arrived = filters.arrived;
    let filter = filters.get(id, node.wall_time())?;
    // After a revert the chain may be shorter than what was already reported.
    let first = filter.next.min(head + 1);
    let result = match &filter.kind {
        Kind::Blocks => {
            let blocks = chain.blocks(first, head).iter();
            value(blocks.map(|block| block.hash).collect::<Vec<B256>>())
        }
        Kind::Logs(wanted) => value(between(chain, wanted, first, head)?),
        Kind::Transactions => {
            let next = std::mem::replace(&mut filter.next, arrived);
            return value(filters.arrivals_since(next));
        }
    }?;
    filter.next = head + 1;
    Ok(result)
}

pub(super) fn all_logs(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let id = params.get::<U64>(0)?.to();
    let ledger = node.read();
    match &node.filters().get(id, node.wall_time())?.kind {
        Kind::Logs(filter) => value(select(&ledger.chain, filter)?),
        Kind::Blocks | Kind::Transactions => Err(RpcError::rejected("filter not found")),
    }
}

pub(super) fn uninstall(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let id = params.get::<U64>(0)?.to::<u64>();
    Ok(json!(node.filters().installed.remove(&id).is_some()))
}
