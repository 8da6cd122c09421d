//! Money: the wallet's balances and the account in the hub (spec/client.md §1.4).

use chain::{Account, Actor, Receipt};
use protocol::{Address, U256};

use crate::{Client, Error, error::Move};

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
        Move::Deposit,
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
    enough(nrlc, account.stake, Move::Withdraw)?;
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

/// Whether so much can go that way.
pub(crate) fn enough(wanted: U256, available: U256, direction: Move) -> Result<(), Error> {
    if wanted.is_zero() {
        return Err(Error::NothingToMove { direction });
    }
    match wanted <= available {
        true => Ok(()),
        false => Err(Error::TooLittle {
            wanted,
            available,
            direction,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_moves_more_than_there_is() {
        let (five, six) = (U256::from(5), U256::from(6));
        assert!(enough(five, five, Move::Send).is_ok());
        let error = enough(six, five, Move::Withdraw).unwrap_err();
        assert_eq!(error.to_string(), "Withdraw amount exceed account balance");
        let hint = error.hint().unwrap();
        assert_eq!(
            hint,
            "6 nRLC wanted, but only 5 nRLC available in the account"
        );
        let error = enough(U256::ZERO, five, Move::Deposit).unwrap_err();
        assert_eq!(error.to_string(), "Deposit amount must be greater than 0");
    }
}
