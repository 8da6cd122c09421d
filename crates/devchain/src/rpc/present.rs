//! Blocks, transactions, receipts and logs in the shape clients expect.

use alloy::consensus::transaction::Recovered;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::primitives::{Bloom, U256};
use alloy::rlp::Encodable;
use alloy::rpc::types::{
    Block as RpcBlock, BlockTransactions, Filter, Header as RpcHeader, Log as RpcLog, Transaction,
    TransactionInfo, TransactionReceipt,
};

use crate::block::Block;

pub(crate) fn header(block: &Block) -> RpcHeader {
    RpcHeader {
        hash: block.hash,
        inner: block.header.clone(),
        total_difficulty: Some(U256::ZERO),
        size: Some(U256::from(block.header.length())),
    }
}

/// The block with its transactions in full or as hashes.
pub(crate) fn block(block: &Block, full: bool) -> RpcBlock {
    let count = block.transactions.len();
    let transactions = if full {
        BlockTransactions::Full((0..count).filter_map(|at| transaction(block, at)).collect())
    } else {
        BlockTransactions::Hashes(
            block
                .transactions
                .iter()
                .map(|mined| mined.hash())
                .collect(),
        )
    };
    RpcBlock {
        header: header(block),
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(Vec::new().into()),
    }
}

/// The transaction at `index`, if the block has that many.
pub(crate) fn transaction(block: &Block, index: usize) -> Option<Transaction> {
    let mined = block.transactions.get(index)?;
    let info = TransactionInfo {
        hash: Some(mined.hash()),
        index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        block_timestamp: Some(block.header.timestamp),
        base_fee: block.header.base_fee_per_gas,
    };
    let transaction = Recovered::new_unchecked(mined.transaction.clone(), mined.sender);
    Some(Transaction::from_transaction(transaction, info))
}

/// A transaction that is still waiting.
pub(crate) fn waiting(transaction: &Recovered<TxEnvelope>) -> Transaction {
    Transaction::from_transaction(transaction.clone(), TransactionInfo::default())
}

/// The receipt of the transaction at `index`, if the block has that many.
pub(crate) fn receipt(block: &Block, index: usize) -> Option<TransactionReceipt> {
    let mined = block.transactions.get(index)?;
    let mut logs = logs_of(block, index);
    let inner = mined.receipt().map_logs(|log| match logs.next() {
        Some(log) => log,
        None => RpcLog {
            inner: log,
            ..RpcLog::default()
        },
    });
    let transaction = &mined.transaction;
    Some(TransactionReceipt {
        inner,
        transaction_hash: mined.hash(),
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        gas_used: mined.gas_used,
        effective_gas_price: transaction.effective_gas_price(block.header.base_fee_per_gas),
        blob_gas_used: None,
        blob_gas_price: None,
        from: mined.sender,
        to: transaction.to(),
        contract_address: mined.created(),
    })
}

fn logs_of(block: &Block, index: usize) -> impl Iterator<Item = RpcLog> + '_ {
    let first = block.first_log(index);
    let mined = &block.transactions[index];
    mined.logs.iter().enumerate().map(move |(at, log)| RpcLog {
        inner: log.clone(),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        block_timestamp: Some(block.header.timestamp),
        transaction_hash: Some(mined.hash()),
        transaction_index: Some(index as u64),
        log_index: Some((first + at) as u64),
        removed: false,
    })
}

/// All logs of a block.
pub(crate) fn logs(block: &Block) -> impl Iterator<Item = RpcLog> + '_ {
    (0..block.transactions.len()).flat_map(move |index| logs_of(block, index))
}

/// The logs of a block that a filter selects by address and topics.
pub(crate) fn matching<'a>(
    block: &'a Block,
    filter: &'a Filter,
) -> impl Iterator<Item = RpcLog> + 'a {
    let possible =
        block.header.logs_bloom != Bloom::ZERO && filter.matches_bloom(block.header.logs_bloom);
    let block = possible.then_some(block);
    block
        .into_iter()
        .flat_map(logs)
        .filter(move |log| filter.matches(&log.inner))
}
