//! What gas costs, which is nothing unless somebody asked for a base fee.

use alloy::consensus::Transaction as _;
use alloy::eips::BlockNumberOrTag;
use alloy::primitives::U64;
use alloy::rpc::types::FeeHistory;
use serde_json::Value;

use super::query::number;
use super::{Params, RpcError, value};
use crate::block::Block;
use crate::chain::Chain;
use crate::node::Node;

/// Blocks one `eth_feeHistory` may cover, as in geth.
const BLOCKS_MAX: u64 = 1024;
/// Percentiles one `eth_feeHistory` may ask for, as in geth.
const PERCENTILES_MAX: usize = 100;
/// The least a blob can cost by EIP-4844, in wei per gas. There are no blobs here.
pub(super) const BLOB_BASE_FEE: u128 = 1;

/// The base fee of the next block.
fn next_base_fee(chain: &Chain) -> u64 {
    chain.terms().base_fee.unwrap_or_default()
}

pub(super) fn gas_price(node: &Node) -> Result<Value, RpcError> {
    value(U64::from(next_base_fee(&node.read().chain)))
}

pub(super) fn history(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let count = params.number(0)?.unwrap_or(1).clamp(1, BLOCKS_MAX);
    let tag = params.opt::<BlockNumberOrTag>(1)?.unwrap_or_default();
    let percentiles = params.opt::<Vec<f64>>(2)?;
    if percentiles
        .as_ref()
        .is_some_and(|list| list.len() > PERCENTILES_MAX)
    {
        return Err(RpcError::params("too many reward percentiles"));
    }
    let ledger = node.read();
    let chain = &ledger.chain;
    let last = number(chain, tag);
    if last > chain.head_number() {
        return Err(RpcError::rejected("request beyond head block"));
    }
    let first = (last + 1).saturating_sub(count);
    let blocks = chain.blocks(first, last);
    let next = chain.block(last + 1).map(base_fee);
    let fees = blocks.iter().map(base_fee);
    value(FeeHistory {
        oldest_block: first,
        base_fee_per_gas: fees
            .chain([next.unwrap_or_else(|| next_base_fee(chain).into())])
            .collect(),
        gas_used_ratio: blocks.iter().map(usage).collect(),
        base_fee_per_blob_gas: vec![BLOB_BASE_FEE; blocks.len() + 1],
        blob_gas_used_ratio: vec![0.0; blocks.len()],
        reward: percentiles.map(|percentiles| match percentiles.is_empty() {
            true => Vec::new(),
            false => blocks
                .iter()
                .map(|block| rewards(block, &percentiles))
                .collect(),
        }),
    })
}

fn base_fee(block: &Block) -> u128 {
    block.header.base_fee_per_gas.unwrap_or_default().into()
}

fn usage(block: &Block) -> f64 {
    block.header.gas_used as f64 / block.header.gas_limit.max(1) as f64
}

/// The tip at each percentile of the block's gas, its transactions sorted by tip.
fn rewards(block: &Block, percentiles: &[f64]) -> Vec<u128> {
    let base_fee = block.header.base_fee_per_gas.unwrap_or_default();
    let mut tips: Vec<_> = block
        .transactions
        .iter()
        .map(|mined| {
            let tip = mined.transaction.effective_tip_per_gas(base_fee);
            (tip.unwrap_or_default(), mined.gas_used)
        })
        .collect();
    tips.sort_unstable();
    let at = |percentile: &f64| {
        let threshold = block.header.gas_used as f64 * percentile / 100.0;
        let mut gas = 0;
        let reached = tips.iter().find(|(_, used)| {
            gas += used;
            gas as f64 >= threshold
        });
        reached.or(tips.last()).map_or(0, |(tip, _)| *tip)
    };
    percentiles.iter().map(at).collect()
}
