//! Signatures of the node's own accounts.

use alloy::dyn_abi::TypedData;
use alloy::primitives::{Address, Bytes};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use serde_json::Value;

use super::{Params, RpcError, value};
use crate::node::Node;

/// The key of an account, or the refusal every node gives for one that is not its own.
pub(super) fn key(node: &Node, address: Address) -> Result<&PrivateKeySigner, RpcError> {
    let unknown = || RpcError::rejected("unknown account: no key for it here");
    node.unlocked(address).ok_or_else(unknown)
}

/// `eth_sign(account, message)`: an EIP-191 signature.
pub(super) fn sign(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, message) = (params.get::<Address>(0)?, params.get::<Bytes>(1)?);
    sign_message(node, address, &message)
}

/// `personal_sign(message, account)`: the same with the arguments the other way round.
pub(super) fn sign_personal(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (message, address) = (params.get::<Bytes>(0)?, params.get::<Address>(1)?);
    sign_message(node, address, &message)
}

fn sign_message(node: &Node, address: Address, message: &[u8]) -> Result<Value, RpcError> {
    let signature = key(node, address)?.sign_message_sync(message);
    signed(signature.map_err(RpcError::internal)?)
}

/// `eth_signTypedData_v4(account, data)`: an EIP-712 signature; the data as an object or as the
/// text of one.
pub(super) fn sign_typed(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, data) = (params.get::<Address>(0)?, params.get::<Value>(1)?);
    let data: TypedData = match data {
        Value::String(text) => serde_json::from_str(&text),
        data => serde_json::from_value(data),
    }
    .map_err(|error| RpcError::params(format!("invalid argument 1: {error}")))?;
    let hash = data
        .eip712_signing_hash()
        .map_err(|error| RpcError::params(format!("invalid typed data: {error}")))?;
    let signature = key(node, address)?.sign_hash_sync(&hash);
    signed(signature.map_err(RpcError::internal)?)
}

fn signed(signature: alloy::primitives::Signature) -> Result<Value, RpcError> {
    value(Bytes::from(signature.as_bytes()))
}
