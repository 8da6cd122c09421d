//! Who acts, and with which keys they sign.
use std::collections::HashMap;

use alloy::primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolValue;

use crate::dice::Dice;
use crate::mocks;
use crate::stage::key;

/// The order of secp256k1, over which the malleable twin of a signature mirrors its `s`.
const ORDER: U256 = U256::from_be_bytes(hex!(
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
));

pub(crate) struct Cast {
    keys: HashMap<Address, PrivateKeySigner>,
    /// Who deploys, and owns the hub and its registries at first.
    pub(crate) owner: Address,
    /// Who may own them later.
    pub(crate) heir: Address,
    pub(crate) requesters: Vec<Address>,
    pub(crate) app_owners: Vec<Address>,
    pub(crate) dataset_owners: Vec<Address>,
    pub(crate) schedulers: Vec<Address>,
    pub(crate) workers: Vec<Address>,
    pub(crate) sponsors: Vec<Address>,
    pub(crate) strangers: Vec<Address>,
    pub(crate) brokers: Vec<Address>,
    pub(crate) enclaves: Vec<Address>,
    /// Has a key, and code that refuses every signature: an account that delegates (EIP-7702).
    pub(crate) delegating: Address,
}

impl Cast {
    pub(crate) fn new() -> Self {
        let mut keys = HashMap::new();
        let mut hire = |seeds: &[u8]| {
            let people = seeds.iter().map(|seed| key(*seed)).collect::<Vec<_>>();
            let addresses = people
                .iter()
                .map(PrivateKeySigner::address)
                .collect::<Vec<_>>();
            keys.extend(addresses.iter().copied().zip(people));
            addresses
        };
        let with = |mut people: Vec<Address>, others: &[Address]| {
            people.extend(others);
            people
        };
        let [owner, heir] = [1, 0x51].map(|seed| hire(&[seed])[0]);
        let delegating = hire(&[0x52])[0];
        Self {
            owner,
            heir,
            requesters: with(hire(&[2, 0x20]), &[mocks::WALLET, delegating]),
            app_owners: with(hire(&[3, 0x21]), &[mocks::WALLET]),
            dataset_owners: with(hire(&[4, 0x22]), &[mocks::WALLET]),
            schedulers: with(hire(&[5, 6]), &[mocks::WALLET]),
            workers: with(hire(&[10, 11, 12, 13, 14, 15]), &[mocks::ONE]),
            sponsors: hire(&[7]),
            strangers: hire(&[8, 0x31]),
            brokers: hire(&[9, 0x32]),
            enclaves: with(hire(&[0x40, 0x41]), &[mocks::WALLET]),
            delegating,
            keys,
        }
    }

    /// Everybody with money.
    pub(crate) fn rich(&self) -> Vec<Address> {
        let groups = [
            &self.requesters,
            &self.app_owners,
            &self.schedulers,
            &self.workers,
            &self.sponsors,
        ];
        let mut all: Vec<_> = groups.into_iter().flatten().copied().collect();
        all.push(self.owner);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Everybody, and some who are nobody.
    pub(crate) fn all(&self) -> Vec<Address> {
        let mut all = self.rich();
        all.extend(self.keys.keys().copied());
        all.extend(mocks::ALL);
        all.push(Address::ZERO);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A good signature of an account, if it can make one. Contracts accept anything or nothing.
    pub(crate) fn sign(&self, dice: &mut Dice, account: Address, hash: B256) -> Bytes {
        let Some(key) = self.keys.get(&account) else {
            let length = dice.pick(&[0, 1, 20, 64, 65, 65, 130]);
            return dice.bytes(length);
        };
        let signature = key.sign_hash_sync(&hash).unwrap();
        if dice.chance(10) {
            return signature.as_erc2098().to_vec().into();
        }
        signature.as_bytes().into()
    }

    /// What `account` signs for a message of 32 bytes (EIP-191).
    pub(crate) fn sign_message(&self, dice: &mut Dice, account: Address, hash: B256) -> Bytes {
        self.sign(dice, account, personal(hash))
    }

    /// Something that is not a good signature of an account, in one of many ways.
    pub(crate) fn forge(&self, dice: &mut Dice, account: Address, hash: B256) -> Bytes {
        let other = dice.pick(&self.strangers);
        let good = self.keys.get(&account).unwrap_or(&self.keys[&other]);
        let signature = good.sign_hash_sync(&hash).unwrap();
        let bytes = signature.as_bytes();
        match dice.below(12) {
            0 => self.sign(dice, other, hash),
            1 => signature.as_erc2098()[..63].to_vec().into(),
            2 => [bytes.as_slice(), &[0]].concat().into(),
            3 => twin(&bytes),
            4 => [&bytes[..64], &[bytes[64] - 27]].concat().into(),
            5 => [&bytes[..64], &[bytes[64] + 2]].concat().into(),
            6 => [&bytes[..64], &[55 - bytes[64]]].concat().into(),
            7 => Bytes::new(),
            8 => vec![0; 65].into(),
            9 => dice.bytes(65),
            10 => vec![0xff; 64].into(),
            _ => self.sign(dice, account, keccak256(hash)),
        }
    }

    /// What lets a worker contribute to a task.
    pub(crate) fn authorize(
        &self,
        dice: &mut Dice,
        [authority, worker, enclave]: [Address; 3],
        task: B256,
    ) -> Bytes {
        let hash = keccak256((worker, task, enclave).abi_encode_packed());
        self.sign_message(dice, authority, hash)
    }
}

pub(crate) fn personal(hash: B256) -> B256 {
    keccak256(
        [
            b"\x19Ethereum Signed Message:\n32".as_slice(),
            hash.as_slice(),
        ]
        .concat(),
    )
}

/// The other signature with the same meaning: high `s`, the other parity.
fn twin(bytes: &[u8; 65]) -> Bytes {
    let s = ORDER - U256::from_be_slice(&bytes[32..64]);
    let v = [55 - bytes[64]];
    [&bytes[..32], &s.to_be_bytes::<32>(), &v].concat().into()
}
