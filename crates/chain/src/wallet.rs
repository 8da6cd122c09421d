//! One private key and what it signs.

use alloy::{
    network::EthereumWallet,
    primitives::{Address, B256, Bytes, Signature, eip191_hash_message},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::Eip712Domain,
};
use protocol::{
    DealId, TaskId, digest,
    message::{Authorization, SignatureValue},
    order::{Order, Signed},
};

use crate::Error;

/// A private key. A cheap clone; `Debug` shows the address only.
#[derive(Clone)]
pub struct Wallet(PrivateKeySigner);

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wallet({})", self.address())
    }
}

impl Wallet {
    /// From 32 bytes.
    ///
    /// # Errors
    /// [`Error::Signature`] for zero or a number beyond the curve's order.
    pub fn from_key(key: &B256) -> Result<Self, Error> {
        PrivateKeySigner::from_bytes(key)
            .map(Self)
            .map_err(|e| Error::Signature(e.to_string()))
    }

    /// A fresh key from the system's randomness.
    pub fn random() -> Self {
        Self(PrivateKeySigner::random())
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// The key itself: for the keystore and for a user who asks to see it.
    pub fn key(&self) -> B256 {
        self.0.to_bytes()
    }

    /// Signs a digest as it is: EIP-712 digests and order hashes.
    ///
    /// # Errors
    /// [`Error::Signature`] when the signer fails.
    pub fn sign_hash(&self, hash: B256) -> Result<Signature, Error> {
        self.0
            .sign_hash_sync(&hash)
            .map_err(|e| Error::Signature(e.to_string()))
    }

    /// Signs 32 bytes as a personal message (EIP-191).
    ///
    /// # Errors
    /// As [`Wallet::sign_hash`].
    pub fn sign_message_hash(&self, hash: B256) -> Result<Signature, Error> {
        self.sign_hash(eip191_hash_message(hash))
    }

    /// Signs an order.
    ///
    /// # Errors
    /// As [`Wallet::sign_hash`].
    pub fn sign_order<O: Order>(&self, order: O, to: &Eip712Domain) -> Result<Signed<O>, Error> {
        let sign = self.sign_hash(order.hash(to).0)?;
        Ok(Signed {
            order,
            sign: Bytes::copy_from_slice(&sign.as_bytes()),
        })
    }

    pub(crate) fn signer(&self) -> EthereumWallet {
        EthereumWallet::from(self.0.clone())
    }
}

/// Who signed 32 bytes as a personal message.
///
/// # Errors
/// [`Error::Signature`] for anything but 65 bytes that recover.
pub fn recover_message_hash(hash: B256, sign: &[u8]) -> Result<Address, Error> {
    let signature = Signature::from_raw(sign).map_err(|e| Error::Signature(e.to_string()))?;
    signature
        .recover_address_from_msg(hash)
        .map_err(|e| Error::Signature(e.to_string()))
}

/// The workerpool owner's permission for `worker` to contribute to a task
/// (spec/pool-worker.md §1.10). `enclave_challenge` is zero for standard tasks.
///
/// # Errors
/// As [`Wallet::sign_hash`].
pub fn authorize(
    owner: &Wallet,
    deal: DealId,
    index: u64,
    worker: Address,
    enclave_challenge: Address,
) -> Result<Authorization, Error> {
    let task: TaskId = deal.task(index);
    let sign = owner.sign_message_hash(digest::authorization(worker, task, enclave_challenge))?;
    Ok(Authorization {
        chain_task_id: task,
        deal_id: deal,
        task_index: index,
        worker_wallet: worker,
        enclave_challenge,
        signature: SignatureValue {
            value: Bytes::copy_from_slice(&sign.as_bytes()),
        },
    })
}

#[cfg(test)]
mod tests {
    use alloy::primitives::b256;

    use super::*;

    #[test]
    fn an_authorization_recovers_to_the_pools_owner() {
        let owner = Wallet::random();
        let worker = Address::repeat_byte(7);
        let enclave = Address::repeat_byte(9);
        let given = authorize(&owner, DealId::repeat(1), 3, worker, enclave).unwrap();
        let hash = digest::authorization(worker, DealId::repeat(1).task(3), enclave);
        let signer = recover_message_hash(hash, &given.signature.value).unwrap();
        assert_eq!(signer, owner.address());
        assert!(recover_message_hash(hash, &given.signature.value[..64]).is_err());
    }

    #[test]
    fn debug_hides_the_key() {
        let key = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
        let shown = format!("{:?}", Wallet::from_key(&key).unwrap());
        assert!(
            shown.contains("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266") && !shown.contains("ac09")
        );
        assert!(Wallet::from_key(&B256::ZERO).is_err());
    }
}
