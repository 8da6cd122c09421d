//! What workers agree on: result digests, and the hashes made of them (spec/contracts.md §5,
//! spec/pool-worker.md §2.12).

use std::io::{self, Read};

use alloy_primitives::{Address, B256, keccak256};
use sha2::{Digest, Sha256};

use crate::TaskId;

/// sha256 of a file's content: the digest when `deterministic-output-path` names a file.
pub fn file(content: &[u8]) -> B256 {
    B256::from_slice(&Sha256::digest(content))
}

/// The same of everything that a reader gives.
///
/// # Errors
/// What reading failed with.
pub fn content(from: &mut impl Read) -> io::Result<B256> {
    let mut hash = Sha256::new();
    io::copy(from, &mut hash)?;
    Ok(B256::from_slice(&hash.finalize()))
}

/// The digest of a folder: keccak256 over the sha256 of each direct regular file, in the order of
/// the names. A sub-folder contributes nothing; no name is hashed. `files` need not be sorted.
pub fn folder<N: AsRef<str>>(files: impl IntoIterator<Item = (N, B256)>) -> B256 {
    let mut sorted: Vec<(Vec<u16>, B256)> = files
        .into_iter()
        .map(|(name, hash)| (name.as_ref().encode_utf16().collect(), hash))
        .collect();
    sorted.sort();
    let joined: Vec<u8> = sorted.iter().flat_map(|(_, hash)| hash.0).collect();
    keccak256(joined)
}

/// The digest of a deal with a callback: keccak256 of the bytes the contract will receive.
pub fn callback(data: &[u8]) -> B256 {
    keccak256(data)
}

/// `keccak256(taskId ‖ resultDigest)`: what workers contribute and the chain compares.
pub fn result_hash(task: TaskId, digest: B256) -> B256 {
    keccak256([task.0.0, digest.0].concat())
}

/// `keccak256(worker ‖ taskId ‖ resultDigest)`: proves later that a worker knew the digest.
pub fn result_seal(worker: Address, task: TaskId, digest: B256) -> B256 {
    keccak256([worker.as_slice(), task.0.as_slice(), digest.as_slice()].concat())
}

/// What the key of a task's enclave signs of a result (spec/secrets-tee.md §2.1): hash and seal.
pub fn enclave(worker: Address, task: TaskId, digest: B256) -> B256 {
    let (hash, seal) = (result_hash(task, digest), result_seal(worker, task, digest));
    keccak256([hash.0, seal.0].concat())
}

/// `keccak256(taskId ‖ worker)`: what the programs before and after an app sign with the enclave's
/// key, to be heard by the worker (spec/secrets-tee.md §2.5).
pub fn host_call(task: TaskId, worker: Address) -> B256 {
    keccak256([task.0.as_slice(), worker.as_slice()].concat())
}

/// `keccak256(worker ‖ taskId ‖ enclaveChallenge)`: what the workerpool's owner signs (EIP-191)
/// to let a worker contribute.
pub fn authorization(worker: Address, task: TaskId, enclave_challenge: Address) -> B256 {
    keccak256(
        [
            worker.as_slice(),
            task.0.as_slice(),
            enclave_challenge.as_slice(),
        ]
        .concat(),
    )
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, b256, hex};

    use super::*;

    const HELLO: B256 = b256!("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");

    /// All values from spec/pool-worker.md §8.2.
    #[test]
    fn digests_equal_the_official_workers() {
        assert_eq!(file(b"hello\n"), HELLO);
        let files = [
            ("c.txt", file(b"world")),
            ("a.txt", HELLO),
            ("b.txt", file(b"")),
        ];
        assert_eq!(
            folder(files),
            b256!("57ed681d0bad1ad0ca57c019abce7740b7cf9330f08481782b725cbc5370a12d")
        );
        assert_eq!(
            folder::<&str>([]),
            b256!("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
        );
        let data = hex!("0000000000000000000000000000000000000000000000000000000000000001");
        assert_eq!(
            callback(&data),
            b256!("b10e2d527612073b26eecdfd717e6a320cf44b4afac2b0732d9fcbe2b7fa0cf6")
        );
    }

    #[test]
    fn hashes_equal_the_official_ones() {
        let task = TaskId::repeat(0x11);
        let worker = address!("2222222222222222222222222222222222222222");
        assert_eq!(
            result_hash(task, HELLO),
            b256!("bf228189bfc410c8e751024281149db787e9598417b583fffb9572fbe783a1a3")
        );
        assert_eq!(
            result_seal(worker, task, HELLO),
            b256!("3f975827bab3479153e1c28bea94f46d4b25ca80d8dbcd7e71539837dd50d5fc")
        );
        assert_eq!(
            authorization(worker, task, Address::ZERO),
            b256!("94a0ab7acff779e62a8b4d2296879b2b1a610888e1de6a2ff984aa7d67ac18c4")
        );
    }

    #[test]
    fn names_sort_as_in_java() {
        let names = ["b2", "_y", "B10", "b10", ".x"];
        let hash = |n: &str| file(n.as_bytes());
        let expected: Vec<u8> = [".x", "B10", "_y", "b10", "b2"]
            .iter()
            .flat_map(|n| hash(n).0)
            .collect();
        assert_eq!(folder(names.map(|n| (n, hash(n)))), keccak256(expected));
    }
}
