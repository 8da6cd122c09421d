//! Methods that look things up.

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{Address, B256, U64, U256};
use alloy::rpc::types::FeeHistory;
use serde_json::Value;

use super::{Params, RpcError, present, value};
use crate::block::Block;
use crate::chain::{Chain, View};
use crate::node::Node;

/// Blocks one `eth_feeHistory` may cover, as in geth.
const FEE_HISTORY_BLOCKS_MAX: u64 = 1024;

/// The block number a tag stands for. All blocks are final here, and there is no pending one.
pub(super) fn number(chain: &Chain, tag: BlockNumberOrTag) -> u64 {
    match tag {
        BlockNumberOrTag::Number(number) => number,
        BlockNumberOrTag::Earliest => 0,
        _ => chain.head_number(),
    }
}

/// The block an id names, if there is one.
pub(super) fn find(chain: &Chain, id: BlockId) -> Option<&Block> {
    match id {
        BlockId::Number(tag) => chain.block(number(chain, tag)),
        BlockId::Hash(hash) => chain.block(chain.number_of(&hash.block_hash)?),
    }
}

/// The state an id names; `None` means the latest.
pub(super) fn view(chain: &Chain, id: Option<BlockId>) -> Result<View<'_>, RpcError> {
    let block = find(chain, id.unwrap_or_default());
    let block = block.ok_or_else(|| RpcError::rejected("header not found"))?;
    Ok(chain.at(block.header.number)?)
}

pub(super) fn balance(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, id) = (params.get::<Address>(0)?, params.opt(1)?);
    value(
        view(&node.read().chain, id)?
            .account(&address)
            .unwrap_or_default()
            .balance,
    )
}

pub(super) fn transaction_count(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, id) = (params.get::<Address>(0)?, params.opt(1)?);
    let account = view(&node.read().chain, id)?
        .account(&address)
        .unwrap_or_default();
    value(U64::from(account.nonce))
}

pub(super) fn code(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, id) = (params.get::<Address>(0)?, params.opt(1)?);
    let ledger = node.read();
    let view = view(&ledger.chain, id)?;
    value(
        view.code(&view.account(&address).unwrap_or_default().code_hash)
            .original_bytes(),
    )
}

pub(super) fn storage(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, key, id) = (
        params.get::<Address>(0)?,
        params.get::<U256>(1)?,
        params.opt(2)?,
    );
    value(B256::from(
        view(&node.read().chain, id)?.slot(&address, &key),
    ))
}

pub(super) fn block_by_number(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (tag, full) = (
        params.get::<BlockNumberOrTag>(0)?,
        params.opt(1)?.unwrap_or(false),
    );
    value(find(&node.read().chain, tag.into()).map(|block| present::block(block, full)))
}

pub(super) fn block_by_hash(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (hash, full) = (params.get::<B256>(0)?, params.opt(1)?.unwrap_or(false));
    value(find(&node.read().chain, hash.into()).map(|block| present::block(block, full)))
}

pub(super) fn block_receipts(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let id = params.get::<BlockId>(0)?;
    let ledger = node.read();
    let receipts = find(&ledger.chain, id).map(|block| {
        let indices = 0..block.transactions.len();
        indices
            .filter_map(|index| present::receipt(block, index))
            .collect::<Vec<_>>()
    });
    value(receipts)
}

pub(super) fn count_by_number(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let tag = params.get::<BlockNumberOrTag>(0)?;
    value(find(&node.read().chain, tag.into()).map(|block| U64::from(block.transactions.len())))
}

pub(super) fn count_by_hash(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.get::<B256>(0)?;
    value(find(&node.read().chain, hash.into()).map(|block| U64::from(block.transactions.len())))
}

pub(super) fn transaction(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.get::<B256>(0)?;
    let ledger = node.read();
    value(match ledger.chain.transaction(&hash) {
        Some((block, index)) => present::transaction(block, index),
        None => ledger.pool.get(&hash).map(present::waiting),
    })
}

pub(super) fn transaction_by_number(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let tag = params.get::<BlockNumberOrTag>(0)?;
    transaction_in(node, tag.into(), params)
}

pub(super) fn transaction_by_hash(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.get::<B256>(0)?;
    transaction_in(node, hash.into(), params)
}

fn transaction_in(node: &Node, id: BlockId, params: &mut Params) -> Result<Value, RpcError> {
    let index: usize = params.get::<U64>(1)?.saturating_to();
    let ledger = node.read();
    value(find(&ledger.chain, id).and_then(|block| present::transaction(block, index)))
}

pub(super) fn receipt(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.get::<B256>(0)?;
    let ledger = node.read();
    let found = ledger.chain.transaction(&hash);
    value(found.and_then(|(block, index)| present::receipt(block, index)))
}

pub(super) fn fee_history(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let count = params
        .number(0)?
        .unwrap_or(1)
        .clamp(1, FEE_HISTORY_BLOCKS_MAX);
    let tag = params.opt::<BlockNumberOrTag>(1)?.unwrap_or_default();
    let percentiles = params.opt::<Vec<f64>>(2)?;
    let ledger = node.read();
    let last = number(&ledger.chain, tag).min(ledger.chain.head_number());
    let first = (last + 1).saturating_sub(count);
    let blocks = ledger.chain.blocks(first, last);
    let usage = |block: &Block| block.header.gas_used as f64 / block.header.gas_limit as f64;
    value(FeeHistory {
        oldest_block: first,
        base_fee_per_gas: vec![0; blocks.len() + 1],
        gas_used_ratio: blocks.iter().map(usage).collect(),
        base_fee_per_blob_gas: vec![0; blocks.len() + 1],
        blob_gas_used_ratio: vec![0.0; blocks.len()],
        reward: percentiles.map(|percentiles| vec![vec![0; percentiles.len()]; blocks.len()]),
    })
}
