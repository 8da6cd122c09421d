//! Changing accounts by hand.

use alloy::primitives::{Address, B256, Bytes, U256};
use revm::bytecode::Bytecode;
use serde_json::Value;

use super::{done, yes};
use crate::node::Node;
use crate::rpc::{Params, RpcError};
use crate::state::{Change, Info};

/// Code that can be set by hand, in bytes: twice what a transaction could deploy (EIP-170), for
/// contracts compiled without optimisation.
const CODE_BYTES_MAX: usize = 2 * 24_576;

/// Replaces what the account is by what `edit` makes of it.
fn edit(
    node: &Node,
    address: Address,
    edit: impl FnOnce(Info) -> Result<Info, RpcError>,
) -> Result<(), RpcError> {
    node.write(|ledger, _| {
        let info = ledger.chain.latest().account(&address);
        let info = edit(info.unwrap_or_default())?;
        let change = Change::Account(address, info);
        ledger.change(vec![change]).map_err(RpcError::internal)?;
        ledger.pool.drop_stale(address, info.nonce);
        Ok(())
    })
}

pub(super) fn set_balance(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, balance) = (params.get::<Address>(0)?, params.get::<U256>(1)?);
    done(edit(node, address, |info| Ok(Info { balance, ..info })))
}

pub(super) fn add_balance(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, more) = (params.get::<Address>(0)?, params.get::<U256>(1)?);
    done(edit(node, address, |info| {
        let balance = info.balance.saturating_add(more);
        Ok(Info { balance, ..info })
    }))
}

pub(super) fn set_nonce(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.get::<Address>(0)?;
    let missing = || RpcError::params("missing nonce");
    let nonce = params.number(1)?.ok_or_else(missing)?;
    done(edit(node, address, |info| Ok(Info { nonce, ..info })))
}

pub(super) fn set_code(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, code) = (params.get::<Address>(0)?, params.get::<Bytes>(1)?);
    if code.len() > CODE_BYTES_MAX {
        return Err(RpcError::params(format!(
            "code of more than {CODE_BYTES_MAX} bytes"
        )));
    }
    let hash = Bytecode::new_raw_checked(code.clone())
        .map_err(|error| RpcError::params(format!("invalid code: {error}")))?
        .hash_slow();
    done(node.write(|ledger, _| {
        let info = ledger.chain.latest().account(&address).unwrap_or_default();
        let info = Info {
            code_hash: hash,
            ..info
        };
        let changes = vec![Change::Code(code), Change::Account(address, info)];
        ledger.change(changes).map_err(RpcError::internal)
    }))
}

pub(super) fn set_storage(node: &Node, params: &mut Params) -> Result<Value, RpcError> {
    let (address, key) = (params.get::<Address>(0)?, params.get::<U256>(1)?);
    let slot = params.get::<B256>(2)?;
    yes(node.write(|ledger, _| {
        let change = Change::Slot(address, key, slot.into());
        ledger.change(vec![change]).map_err(RpcError::internal)
    }))
}
