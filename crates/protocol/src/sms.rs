//! What is signed for the secret manager: by owners to store a secret (spec/client.md §3.3), by a
//! pool to get an enclave's key (spec/secrets-tee.md §1.4). The digests before EIP-191.

use alloy_primitives::{Address, B256, keccak256};

use crate::TaskId;

/// Name of the `web2` secret with the beneficiary's RSA key.
pub const RESULT_KEY: &str = "iexec-result-encryption-public-key";
/// Name of the `web2` secret with the requester's token for Dropbox.
pub const DROPBOX_TOKEN: &str = "iexec-result-dropbox-token";
/// Name of the `web2` secret with the worker's token for the result store.
pub const STORE_TOKEN: &str = "iexec-result-iexec-ipfs-token";
/// Name of the `web2` secret with the origin of the pool's result store.
pub const STORE_URL: &str = "iexec-result-iexec-result-proxy-url";

fn domain() -> B256 {
    keccak256("IEXEC_SMS_DOMAIN")
}

/// A dataset's key (`web3` secret).
pub fn dataset(dataset: Address, value: &str) -> B256 {
    keccak256(
        [
            domain().as_slice(),
            dataset.as_slice(),
            keccak256(value).as_slice(),
        ]
        .concat(),
    )
}

/// A `web2` secret or a requester secret: owner, name and value.
pub fn named(owner: Address, name: &str, value: &str) -> B256 {
    let (name, value) = (keccak256(name), keccak256(value));
    keccak256(
        [
            domain().as_slice(),
            owner.as_slice(),
            name.as_slice(),
            value.as_slice(),
        ]
        .concat(),
    )
}

/// `name` with its `n`-th letter in upper case where bit `n` of `letters` is set. A name means the
/// same in any case, and a signature has no date: our secret manager takes an old push for a replay
/// (`docs/security.md`), so whoever wants an old value back signs it under another spelling.
pub fn respelt(name: &str, letters: u64) -> String {
    let is_set = |at: usize| letters >> (at % 64) & 1 == 1;
    let spell = |(at, letter): (usize, char)| match is_set(at) {
        true => letter.to_ascii_uppercase(),
        false => letter,
    };
    name.chars().enumerate().map(spell).collect()
}

/// The app developer's secret: the named secret `1` of the app.
pub fn app(app: Address, value: &str) -> B256 {
    named(app, "1", value)
}

/// What the workerpool's owner signs to get the enclave challenge of a task: the authorization of
/// a worker ([`crate::digest::authorization`]) without worker and challenge.
pub fn enclave_challenge(task: TaskId) -> B256 {
    keccak256(task.0)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, b256};

    use super::*;

    /// spec/client.md Appendix A.
    #[test]
    fn a_name_has_many_spellings() {
        assert_eq!(respelt("iexec-1", 0), "iexec-1");
        assert_eq!(respelt("iexec-1", 0b10_0101), "IeXec-1");
        assert_eq!(
            respelt(&"x".repeat(66), 2),
            format!("xX{}X", "x".repeat(63))
        );
    }

    #[test]
    fn digests_are_the_sdks() {
        assert_eq!(
            dataset(address!("0159fd095373d9af76b860eC545e10b556Bb003a"), "foo"),
            b256!("da6c7a8c7921047429c0aee437059dc1b1073c43c88971b9859600568f577910")
        );
        assert_eq!(
            named(
                address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
                "s1",
                "foo"
            ),
            b256!("c7165f900cb8c2ff7522a9ae9fab66652aae39aac75182706d125e2dd4ba2904")
        );
        assert_eq!(
            app(address!("f6BC713064256BE134A3f69445843828bfdc7D9F"), "foo"),
            b256!("9760a6b4e854fbd8e29fd4e03fad160adcc007f3a07ad7a40e0f63f196a6d878")
        );
    }

    /// The official service's own numbers.
    #[test]
    fn a_pool_signs_the_task_alone() {
        let task = "0x2a97330a259a16e918cd2ef8e92db197b68eb1a01bc1a58ee19be81ea60d3d8b";
        assert_eq!(
            enclave_challenge(task.parse().unwrap()),
            b256!("f148b3629c5047a893ae827603913bc5039272c1b6b7ce5fa8f4d515aa54c106")
        );
    }
}
