//! Money: the wallet's balances and the account in the hub (spec/client.md §1.4).

use chain::{Account, Actor, Receipt};
use protocol::{Address, U256};

use crate::{Client, Error};

/// What a wallet holds outside the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The chain's coin, in wei.
    pub wei: U256,
    /// nRLC in the wallet.
    pub nrlc: U256,
}

/// What `address` holds outside the hub.
///
/// # Errors
/// [`Error::Chain`].
pub async fn balance(client: &Client, address: Address) -> Result<Balance, Error> {
    let hub = client.hub();
    let (wei, nrlc) = tokio::join!(hub.gas_balance(address), hub.rlc_balance(address));
    Ok(Balance {
        wei: wei.map_err(Error::chain("read the balance"))?,
        nrlc: nrlc.map_err(Error::chain("read the RLC balance"))?,
    })
}

/// What `address` has deposited in the hub.
///
/// # Errors
/// [`Error::Chain`].
pub async fn show(client: &Client, address: Address) -> Result<Account, Error> {
    client
        .hub()
        .account(address)
        .await
        .map_err(Error::chain("read the account"))
}

/// Moves nRLC from the wallet to its account.
///
/// # Errors
/// [`Error::TooLittle`] before anything is sent, [`Error::Chain`].
pub async fn deposit(actor: &Actor, nrlc: U256) -> Result<Receipt, Error> {
    let held = actor.hub().rlc_balance(actor.address()).await;
    enough(
        nrlc,
        held.map_err(Error::chain("read the RLC balance"))?,
        "the wallet",
    )?;
    actor.deposit(nrlc).await.map_err(Error::chain("deposit"))
}

/// Moves nRLC from the account back to the wallet.
///
/// # Errors
/// [`Error::TooLittle`] before anything is sent, [`Error::Chain`].
pub async fn withdraw(actor: &Actor, nrlc: U256) -> Result<Receipt, Error> {
    let account = actor.hub().account(actor.address()).await;
    let account = account.map_err(Error::chain("read the account"))?;
    enough(nrlc, account.stake, "the account")?;
    actor.withdraw(nrlc).await.map_err(Error::chain("withdraw"))
}

/// Lets `spender` move nRLC of the wallet's account; zero takes it back.
///
/// # Errors
/// [`Error::Chain`].
pub async fn approve(actor: &Actor, spender: Address, nrlc: U256) -> Result<Receipt, Error> {
    let receipt = actor.approve(spender, nrlc).await;
    receipt.map_err(Error::chain("approve"))
}

/// nRLC of `account` that `spender` may move.
///
/// # Errors
/// [`Error::Chain`].
pub async fn allowance(client: &Client, account: Address, spender: Address) -> Result<U256, Error> {
    let allowance = client.hub().allowance(account, spender).await;
    allowance.map_err(Error::chain("read the allowance"))
}

pub(crate) fn enough(wanted: U256, available: U256, place: &'static str) -> Result<(), Error> {
    if wanted.is_zero() {
        return Err(Error::invalid("amount", "it must be more than 0"));
    }
    match wanted <= available {
        true => Ok(()),
        false => Err(Error::TooLittle {
            wanted,
            available,
            place,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_moves_more_than_there_is() {
        assert!(enough(U256::from(5), U256::from(5), "the wallet").is_ok());
        let error = enough(U256::from(6), U256::from(5), "the wallet").unwrap_err();
        assert_eq!(
            error.to_string(),
            "6 nRLC wanted, but only 5 nRLC available in the wallet"
        );
        assert!(enough(U256::ZERO, U256::from(5), "the wallet").is_err());
    }
}
