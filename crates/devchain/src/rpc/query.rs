//! Methods that look things up.

use alloy::consensus::TxEnvelope;
use alloy::eips::{BlockId, BlockNumberOrTag, Encodable2718};
use alloy::primitives::{Address, B256, Bytes, U64, U256};
use serde_json::Value;

use super::{Params, RpcError, present, value};
use crate::block::Block;
use crate::chain::{Chain, View};
use crate::ledger::{Ledger, Pending};
use crate::node::Node;
use crate::simulate::Scene;

/// The block number a tag stands for. All blocks are final here. The pending block is the head
/// where it is not asked for by [`with_block`] or [`with_view`].
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

fn is_pending(id: Option<BlockId>) -> bool {
    id == Some(BlockId::Number(BlockNumberOrTag::Pending))
}

/// Shows `look` the block an id names, if there is one; the pending one is made for it.
fn with_block<T>(node: &Node, id: BlockId, look: impl FnOnce(&Block) -> Option<T>) -> Option<T> {
    let ledger = node.read();
    if is_pending(Some(id)) {
        return look(&ledger.pending(node.wall_time()).block);
    }
    find(&ledger.chain, id).and_then(look)
}

/// Shows `look` the state an id names; `None` means the latest.
fn with_view<T>(
    node: &Node,
    id: Option<BlockId>,
    look: impl FnOnce(View<'_>) -> Result<T, RpcError>,
) -> Result<T, RpcError> {
    let ledger = node.read();
    if is_pending(id) && !ledger.pool.is_empty() {
        let pending = ledger.pending(node.wall_time());
        return look(ledger.chain.differing(pending.difference));
    }
    look(view(&ledger.chain, id)?)
}

/// The scene for code that runs at the block an id names. Calls at the head see the block that
/// would be mined now: blocks come on demand, so the head's own time may be long past.
pub(super) fn scene(ledger: &Ledger, id: Option<BlockId>, now: u64) -> Result<Scene<'_>, RpcError> {
    let chain = &ledger.chain;
    let (view, header) = if is_pending(id) && !ledger.pool.is_empty() {
        let Pending { block, difference } = ledger.pending(now);
        (chain.differing(difference), block.header)
    } else {
        let block = find(chain, id.unwrap_or_default());
        let block = block.filter(|block| block.hash != chain.head().hash);
        let header = block.map(|block| block.header.clone());
        let next = || chain.next_header(chain.time(now));
        (view(chain, id)?, header.unwrap_or_else(next))
    };
    Ok(Scene {
        view,
        header,
        state: None,
        block: None,
    })
}

/// The state an id names; `None` means the latest.
fn view(chain: &Chain, id: Option<BlockId>) -> Result<View<'_>, RpcError> {
    let block = find(chain, id.unwrap_or_default());
    let block = block.ok_or_else(|| RpcError::rejected("header not found"))?;
    Ok(chain.at(block.header.number)?)
}

pub(super) fn balance(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, id) = (params.get::<Address>(0)?, params.opt(1)?);
    with_view(node, id, |view| {
        value(view.account(&address).unwrap_or_default().balance)
    })
}

pub(super) fn transaction_count(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, id) = (params.get::<Address>(0)?, params.opt(1)?);
    let ledger = node.read();
    if is_pending(id) {
        return value(U64::from(ledger.next_nonce(address)));
    }
    let account = view(&ledger.chain, id)?.account(&address);
    value(U64::from(account.unwrap_or_default().nonce))
}

pub(super) fn code(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, id) = (params.get::<Address>(0)?, params.opt(1)?);
    with_view(node, id, |view| {
        let account = view.account(&address).unwrap_or_default();
        value(view.code(&account.code_hash).original_bytes())
    })
}

pub(super) fn storage(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, key, id) = (
        params.get::<Address>(0)?,
        params.get::<U256>(1)?,
        params.opt(2)?,
    );
    with_view(node, id, |view| {
        value(B256::from(view.slot(&address, &key)))
    })
}

pub(super) fn block_by_number(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (tag, full) = (
        params.get::<BlockNumberOrTag>(0)?,
        params.opt(1)?.unwrap_or(false),
    );
    value(with_block(node, tag.into(), |block| {
        Some(present::block(block, full))
    }))
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
    value(with_block(node, tag.into(), |block| {
        Some(U64::from(block.transactions.len()))
    }))
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
    value(with_block(node, id, |block| {
        present::transaction(block, index)
    }))
}

/// A transaction as the bytes that were signed.
pub(super) fn raw(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.get::<B256>(0)?;
    let ledger = node.read();
    let mined = ledger.chain.transaction(&hash);
    let mined = mined.map(|(block, index)| &block.transactions[index].transaction);
    let found = mined.or_else(|| ledger.pool.get(&hash).map(|waiting| waiting.inner()));
    value(found.map(bytes))
}

pub(super) fn raw_by_number(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let tag = params.get::<BlockNumberOrTag>(0)?;
    raw_in(node, tag.into(), params)
}

pub(super) fn raw_by_hash(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.get::<B256>(0)?;
    raw_in(node, hash.into(), params)
}

fn raw_in(node: &Node, id: BlockId, params: &mut Params) -> Result<Value, RpcError> {
    let index: usize = params.get::<U64>(1)?.saturating_to();
    value(with_block(node, id, |block| {
        let mined = block.transactions.get(index);
        mined.map(|mined| bytes(&mined.transaction))
    }))
}

fn bytes(transaction: &TxEnvelope) -> Bytes {
    transaction.encoded_2718().into()
}

pub(super) fn receipt(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.get::<B256>(0)?;
    let ledger = node.read();
    let found = ledger.chain.transaction(&hash);
    value(found.and_then(|(block, index)| present::receipt(block, index)))
}
