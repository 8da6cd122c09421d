//! Finding a deployment in what its deployer has created: for when the journal is lost.
use alloy::primitives::{Address, Bytes};

use crate::{Contract, Deployment, Options, plan::is_code_of};

/// A contract of ours and the nonce that created it.
pub(crate) type Found = (Contract, u64);

/// The deployments that `created`, by ascending nonce, may be the beginnings of: each has some of
/// the `wanted` contracts in their order, from the first one on. `at` has those that are known
/// already.
pub(crate) fn deployments(
    wanted: &[Contract],
    at: &Deployment,
    deployer: Address,
    options: &Options,
    created: &[(u64, Bytes)],
) -> Vec<Vec<Found>> {
    let mut all: Vec<Vec<Found>> = Vec::new();
    for (nonce, code) in created {
        let is = |contract| is_code_of(contract, options, code);
        let known = all.last_mut();
        let next = known.as_ref().and_then(|found| wanted.get(found.len()));
        match (next, known) {
            (Some(&contract), Some(found)) if is(contract) => {
                let extension = extension(found, at, deployer);
                if contract != Contract::Hub || names(code, extension) {
                    found.push((contract, *nonce));
                }
            }
            _ => {
                let first = wanted.first().filter(|first| is(**first));
                all.extend(first.map(|first| vec![(*first, *nonce)]));
            }
        }
    }
    all
}

/// The extension that a hub after `found` must have.
fn extension(found: &[Found], at: &Deployment, deployer: Address) -> Address {
    let mut found = found.iter();
    let extension = found.find(|(contract, _)| *contract == Contract::Extension);
    extension.map_or(at.extension, |(_, nonce)| deployer.create(*nonce))
}

/// Whether `address` is among the immutable values in `code`.
fn names(code: &[u8], address: Address) -> bool {
    code.windows(Address::len_bytes())
        .any(|bytes| bytes == address.as_slice())
}
