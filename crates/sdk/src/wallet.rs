//! Sending what a wallet holds outside the hub (spec/client.md §1.4).

use chain::{Actor, Receipt};
use protocol::{Address, U256};

use crate::{Error, account::enough, error::Move};

/// Sends nRLC to another wallet.
///
/// # Errors
/// [`Error::TooLittle`] before anything is sent, [`Error::Chain`].
pub async fn send_rlc(actor: &Actor, to: Address, nrlc: U256) -> Result<Receipt, Error> {
    let held = actor.hub().rlc_balance(actor.address()).await;
    let held = held.map_err(Error::chain("read the RLC balance"))?;
    enough(nrlc, held, Move::Send)?;
    let receipt = actor.transfer_rlc(to, nrlc).await;
    receipt.map_err(Error::chain("send RLC"))
}

/// Sends the chain's coin, in wei.
///
/// # Errors
/// [`Error::TooFewWei`] before anything is sent, [`Error::Chain`].
pub async fn send_ether(actor: &Actor, to: Address, wei: U256) -> Result<Receipt, Error> {
    if wei.is_zero() {
        return Err(Error::invalid("amount", "it must be more than 0"));
    }
    if actor.hub().is_native() {
        return Err(Error::Configuration {
            reason: "the coin of this chain is RLC, not ether".to_owned(),
            hint: Some("use `iexec wallet send-RLC`".to_owned()),
        });
    }
    let available = actor.hub().gas_balance(actor.address()).await;
    let available = available.map_err(Error::chain("read the balance"))?;
    if wei > available {
        return Err(Error::TooFewWei {
            wanted: wei,
            available,
        });
    }
    let receipt = actor.transfer_gas(to, wei).await;
    receipt.map_err(Error::chain("send ether"))
}

/// What [`sweep`] moved.
#[derive(Debug, Default)]
pub struct Swept {
    /// All RLC; none when there was none.
    pub rlc: Option<Receipt>,
    /// The chain's coin; none when it would not have paid for its transfer.
    pub ether: Option<Receipt>,
}

/// Sends everything the wallet holds: RLC first, because its transfer is paid in the coin.
///
/// # Errors
/// [`Error::Invalid`] for a contract, which may not know what to do with coins;
/// [`Error::LeftBehind`], [`Error::Chain`]. What was sent before stands in `swept`.
pub async fn sweep(actor: &Actor, to: Address, swept: &mut Swept) -> Result<(), Error> {
    if to == actor.address() {
        return Err(Error::invalid("--to", "it is the wallet itself"));
    }
    let is_contract = actor.hub().is_contract(to).await;
    if is_contract.map_err(Error::chain("look at the receiver"))? {
        return Err(Error::invalid("--to", format!("{to} is a contract")));
    }
    if !actor.hub().is_native() {
        let held = actor.hub().rlc_balance(actor.address()).await;
        let held = held.map_err(Error::chain("read the RLC balance"))?;
        if !held.is_zero() {
            let receipt = actor.transfer_rlc(to, held).await;
            swept.rlc = Some(receipt.map_err(Error::chain("send RLC"))?);
        }
    }
    let sent = actor.transfer_all_gas(to).await;
    let sent = sent.map_err(Error::chain("send ether"))?;
    swept.ether = sent.map(|(_, receipt)| receipt);
    if swept.ether.is_some() {
        return Ok(());
    }
    let left = actor.hub().gas_balance(actor.address()).await;
    match left.map_err(Error::chain("read the balance"))? {
        U256::ZERO => Ok(()),
        wei => Err(Error::LeftBehind { wei }),
    }
}

/// Gives nRLC and wei from the actor's wallet to another, and returns the receipts of both.
///
/// # Errors
/// [`Error::TooLittle`] before anything is sent, [`Error::Chain`].
pub async fn give(
    actor: &Actor,
    to: Address,
    nrlc: U256,
    wei: U256,
) -> Result<[Receipt; 2], Error> {
    let held = actor.hub().rlc_balance(actor.address()).await;
    let held = held.map_err(Error::chain("read the RLC balance"))?;
    enough(nrlc, held, Move::Send)?;
    let (rlc, gas) = tokio::join!(actor.transfer_rlc(to, nrlc), actor.transfer_gas(to, wei));
    Ok([
        rlc.map_err(Error::chain("give RLC"))?,
        gas.map_err(Error::chain("give gas"))?,
    ])
}
