//! Login by signed challenge: market and pool API (spec/client.md §3.1), and workers.
//!
//! A client asks for a challenge, signs it as EIP-712 typed data and sends
//! `Authorization: <hash>_<signature>_<address>`.

use alloy_primitives::{Address, B256, Signature, U256};
use alloy_sol_types::{Eip712Domain, SolStruct};
use serde_json::{Value, json};

use crate::Error;

mod typed {
    alloy_sol_types::sol! {
        #[allow(missing_docs)]
        struct Challenge { string challenge; }
        #[allow(missing_docs)]
        struct WorkerLogin { string challenge; string pool; }
    }
}

/// Which service asks: it is the name of the signing domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The market.
    Market,
    /// The pool's log API.
    Pool,
    /// The result proxy of the SDK before 9.
    ResultProxy,
}

impl Audience {
    const fn domain_name(self) -> &'static str {
        match self {
            Self::Market => "iExec Gateway",
            Self::Pool => "iExec Core",
            Self::ResultProxy => "iExec Result Repository",
        }
    }

    fn domain(self, chain_id: u64) -> Eip712Domain {
        Eip712Domain::new(
            Some(self.domain_name().into()),
            Some("1".into()),
            Some(U256::from(chain_id)),
            None,
            None,
        )
    }

    /// The EIP-712 digest to sign for `challenge`.
    pub fn hash(self, chain_id: u64, challenge: &str) -> B256 {
        let typed = typed::Challenge {
            challenge: challenge.to_owned(),
        };
        typed.eip712_signing_hash(&self.domain(chain_id))
    }

    /// The typed data that clients expect; `chainId` is text, as upstream.
    pub fn typed_data(self, chain_id: u64, challenge: &str) -> Value {
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
        let domain = [
            ("name", "string"),
            ("version", "string"),
            ("chainId", "uint256"),
        ]
        .map(|(name, kind)| field(name, kind));
        json!({
            "types": {
                "EIP712Domain": domain,
                "Challenge": [field("challenge", "string")],
            },
            "domain":
                { "name": self.domain_name(), "version": "1", "chainId": chain_id.to_string() },
            "primaryType": "Challenge",
            "message": { "challenge": challenge },
        })
    }
}

/// The digest a worker signs to log in to the pool of `workerpool`: bound to that pool and chain,
/// so that no other pool can pass it on.
pub fn worker_login(chain_id: u64, workerpool: Address, challenge: &str) -> B256 {
    let domain = Eip712Domain::new(
        Some("iExec Pool".into()),
        Some("1".into()),
        Some(U256::from(chain_id)),
        Some(workerpool),
        None,
    );
    let typed = typed::WorkerLogin {
        challenge: challenge.to_owned(),
        pool: workerpool.to_checksum(None),
    };
    typed.eip712_signing_hash(&domain)
}

/// An `Authorization` header taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The digest that was signed, as the client computed it.
    pub hash: B256,
    /// The signature over it.
    pub signature: Signature,
    /// Who claims to have signed.
    pub address: Address,
}

impl Token {
    /// Splits `<hash>_<signature>_<address>`.
    ///
    /// # Errors
    /// [`Error::Authorization`] when a part is missing or malformed.
    pub fn parse(header: &str) -> Result<Self, Error> {
        let mut parts = header.split('_');
        let (Some(hash), Some(sign), Some(address), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Authorization);
        };
        Ok(Self {
            hash: hash.parse().map_err(|_| Error::Authorization)?,
            signature: sign.parse().map_err(|_| Error::Authorization)?,
            address: address.parse().map_err(|_| Error::Authorization)?,
        })
    }

    /// Whether `address` signed `expected` (the server's own digest, never the client's).
    pub fn proves(&self, expected: B256) -> bool {
        self.signature.recover_address_from_prehash(&expected).ok() == Some(self.address)
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = alloy_primitives::hex::encode_prefixed(self.signature.as_bytes());
        write!(
            f,
            "{:#x}_{sign}_{}",
            self.hash,
            self.address.to_checksum(None)
        )
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::b256;

    use super::*;

    const TEXT: &str = "Sign this message to log into iExec Gateway: abc";
    const HASH: B256 = b256!("4d43f09dcc50481109d75818830f5868b6e9abed796c2ec5d58a5bf5f0ecae67");
    const SIGN: &str = "0x7e3319a90349818ab7c303db9f89aef032d41a4828bb3ae81351951fe810e32e149b395\
                        da8a39a353594b0e9487fd4189883cdb695c432706832a5a9b5b92c431b";

    /// spec/client.md Appendix A, chain 31337.
    #[test]
    fn the_challenge_hash_is_the_sdks() {
        assert_eq!(Audience::Market.hash(31337, TEXT), HASH);
    }

    #[test]
    fn tokens_prove_their_signer_only() {
        let header = format!("{HASH:#x}_{SIGN}_0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        let token = Token::parse(&header).unwrap();
        assert!(token.proves(HASH));
        assert!(!token.proves(B256::ZERO));
        assert_eq!(token.to_string(), header);
        assert!(Token::parse("a_b").is_err());
        assert!(Token::parse(&format!("{header}_x")).is_err());
    }
}
