//! What the queue asks of a node, and how it reads the answers.

use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::{Decodable2718 as _, Encodable2718 as _},
    network::{NetworkTransactionBuilder as _, TransactionBuilder as _},
    primitives::B256,
    providers::{DynProvider, Provider},
    rpc::types::{TransactionReceipt, TransactionRequest},
    transports::{RpcError, TransportError},
};

use super::queue::{Offer, Sight};
use crate::{
    Error, Policy, Wallet,
    fees::{Fees, Prices},
};

/// A node, and who sends transactions there.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) provider: DynProvider,
    pub(super) chain_id: u64,
    pub(super) wallet: Wallet,
    pub(super) policy: Policy,
}

/// What became of a transaction that was handed to the node.
#[derive(Debug)]
pub(super) enum Answer {
    /// The node has it, now or since before.
    Taken,
    /// Nobody answered; the node may have it.
    Silence(TransportError),
    /// Its nonce is used by another transaction.
    Disputed(TransportError),
    /// The node does not want it.
    Refused(TransportError),
}

impl Node {
    pub(super) async fn prices(&self) -> Result<Prices, Error> {
        let prices = Prices::now(&self.provider).await;
        prices.map_err(|e| Error::from_transport("eth_gasPrice", e))
    }

    /// What a new transaction offers.
    pub(super) fn first_offer(&self, prices: Prices) -> Fees {
        match self.policy.gas_price {
            Some(price) => Fees::Legacy { price },
            None => Fees::new(prices),
        }
    }

    /// How many transactions of the wallet there are, with those that wait.
    pub(super) async fn pending(&self) -> Result<u64, Error> {
        let count = self.provider.get_transaction_count(self.wallet.address());
        count
            .pending()
            .await
            .map_err(|e| Error::from_transport("eth_getTransactionCount", e))
    }

    pub(super) async fn sight(&self, head: u64, now: u64) -> Result<Sight, Error> {
        let latest = self.provider.get_transaction_count(self.wallet.address());
        let latest = async {
            let latest = latest.await;
            latest.map_err(|e| Error::from_transport("eth_getTransactionCount", e))
        };
        let (latest, pending) = tokio::try_join!(latest, self.pending())?;
        Ok(Sight {
            latest,
            pending: pending.max(latest),
            head,
            now,
        })
    }

    pub(super) async fn sign(&self, tx: TransactionRequest, fees: Fees) -> Result<Offer, Error> {
        let tx = fees.offer(tx.with_chain_id(self.chain_id));
        let envelope = tx
            .build(&self.wallet.signer())
            .await
            .map_err(|e| Error::Signature(e.to_string()))?;
        Ok(Offer {
            hash: *envelope.tx_hash(),
            raw: envelope.encoded_2718().into(),
            fees,
        })
    }

    /// The same transaction for another price.
    pub(super) async fn sign_again(&self, offer: &Offer, fees: Fees) -> Result<Offer, Error> {
        let tx = TxEnvelope::decode_2718(&mut offer.raw.as_ref());
        let tx = tx.map_err(|e| Error::Signature(e.to_string()))?;
        let mut request = TransactionRequest::default()
            .with_from(self.wallet.address())
            .with_nonce(tx.nonce())
            .with_value(tx.value())
            .with_gas_limit(tx.gas_limit())
            .with_input(tx.input().clone());
        request.to = Some(tx.kind());
        self.sign(request, fees).await
    }

    pub(super) async fn hand(&self, offer: &Offer) -> Answer {
        match self.provider.send_raw_transaction(&offer.raw).await {
            Ok(_) => Answer::Taken,
            Err(error) => match read(error) {
                Answer::Disputed(error) => self.judge(offer, error).await,
                answer => answer,
            },
        }
    }

    /// Who used the nonce? A connection that broke before the answer came is dialled again by
    /// itself and says again what was not answered; a node that has mined the transaction meanwhile
    /// says of the same bytes that their nonce is used.
    async fn judge(&self, offer: &Offer, error: TransportError) -> Answer {
        match self.provider.get_transaction_by_hash(offer.hash).await {
            Ok(Some(_)) => Answer::Taken,
            Ok(None) => Answer::Disputed(error),
            Err(silence) => Answer::Silence(silence),
        }
    }

    /// The receipt of whichever form was mined.
    pub(super) async fn receipt(&self, hashes: &[B256]) -> Option<TransactionReceipt> {
        for hash in hashes.iter().rev() {
            if let Ok(Some(receipt)) = self.provider.get_transaction_receipt(*hash).await {
                return Some(receipt);
            }
        }
        None
    }
}

/// Nodes tell these apart by words only; these are geth's, Besu's, Nethermind's and anvil's.
fn read(error: TransportError) -> Answer {
    let RpcError::ErrorResp(words) = &error else {
        return Answer::Silence(error);
    };
    let text = words.message.to_lowercase();
    let has = |part: &[&str]| part.iter().any(|part| text.contains(part));
    if has(&[
        "already known",
        "alreadyknown",
        "already imported",
        "known transaction",
    ]) {
        return Answer::Taken;
    }
    if has(&["nonce", "replacement"]) {
        return Answer::Disputed(error);
    }
    Answer::Refused(error)
}

#[cfg(test)]
mod tests {
    use alloy::transports::TransportErrorKind;

    use super::*;

    fn said(words: &str) -> Answer {
        let payload = serde_json::json!({ "code": -32_000, "message": words });
        read(RpcError::ErrorResp(
            serde_json::from_value(payload).unwrap(),
        ))
    }

    #[test]
    fn nodes_say_the_same_in_their_own_words() {
        for words in [
            "already known",
            "AlreadyKnown",
            "transaction already imported",
        ] {
            assert!(matches!(said(words), Answer::Taken), "{words}");
        }
        for words in [
            "nonce too low: next nonce 5, tx nonce 4",
            "replacement transaction underpriced",
            "Nonce too low",
        ] {
            assert!(matches!(said(words), Answer::Disputed(_)), "{words}");
        }
        let poor = "insufficient funds for gas * price + value";
        assert!(matches!(said(poor), Answer::Refused(_)));
        let silence = read(TransportErrorKind::custom_str("connection reset"));
        assert!(matches!(silence, Answer::Silence(_)));
    }
}
