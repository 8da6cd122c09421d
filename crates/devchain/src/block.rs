//! Mined blocks as the node keeps them, and the receipts of the transactions inside.

use alloy::consensus::{Header, Receipt, ReceiptEnvelope, Transaction as _, TxEnvelope};
use alloy::primitives::{Address, B256, Log};

/// One executed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mined {
    pub(crate) sender: Address,
    pub(crate) transaction: TxEnvelope,
    pub(crate) success: bool,
    /// Gas used by this transaction alone.
    pub(crate) gas_used: u64,
    /// Gas used by the block up to and including this transaction.
    pub(crate) gas_total: u64,
    pub(crate) logs: Vec<Log>,
}

impl Mined {
    pub(crate) fn hash(&self) -> B256 {
        *self.transaction.tx_hash()
    }

    /// The contract this transaction deployed, successful or not, as receipts report it.
    pub(crate) fn created(&self) -> Option<Address> {
        self.transaction
            .is_create()
            .then(|| self.sender.create(self.transaction.nonce()))
    }

    pub(crate) fn receipt(&self) -> ReceiptEnvelope {
        let receipt = Receipt {
            status: self.success.into(),
            cumulative_gas_used: self.gas_total,
            logs: self.logs.clone(),
        };
        ReceiptEnvelope::from_typed(self.transaction.tx_type(), receipt)
    }
}

/// A block with everything clients may ask about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) hash: B256,
    pub(crate) header: Header,
    pub(crate) transactions: Vec<Mined>,
}

impl Block {
    pub(crate) fn new(header: Header, transactions: Vec<Mined>) -> Self {
        Self {
            hash: header.hash_slow(),
            header,
            transactions,
        }
    }

    /// Index, within the block, of the first log of the transaction at `index`.
    pub(crate) fn first_log(&self, index: usize) -> usize {
        self.transactions
            .iter()
            .take(index)
            .map(|mined| mined.logs.len())
            .sum()
    }
}
