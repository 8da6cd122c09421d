//! An account that does not cover what it is to pay.

use std::fmt;

use protocol::{Address, U256, rlc};

/// The requester's account does not cover the deal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The requester.
    pub account: Address,
    /// nRLC the deal costs.
    pub needed: U256,
    /// nRLC free in the account.
    pub present: U256,
    /// nRLC locked in running deals.
    pub locked: U256,
    /// The chain's name, for the hint.
    pub chain: String,
}

impl Shortfall {
    /// Whether `needed` nRLC are free in `account`'s `present`.
    ///
    /// # Errors
    /// The shortfall.
    pub fn check(
        account: Address,
        needed: U256,
        present: &chain::Account,
        chain: &str,
    ) -> Result<(), Box<Self>> {
        match needed <= present.stake {
            true => Ok(()),
            false => Err(Box::new(Self {
                account,
                needed,
                present: present.stake,
                locked: present.locked,
                chain: chain.to_owned(),
            })),
        }
    }

    /// The command that fixes it.
    pub fn hint(&self) -> String {
        let missing = self.needed.saturating_sub(self.present);
        format!(
            "deposit what is missing: `iexec account deposit {missing} nRLC --chain {}`",
            self.chain
        )
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the account of {} needs {} nRLC ({} RLC) for this deal, but has {} nRLC (and {} nRLC \
             locked in running deals)",
            self.account,
            self.needed,
            rlc::to_rlc(self.needed),
            self.present,
            self.locked
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortfall_says_what_to_do() {
        let present = chain::Account {
            stake: U256::from(10),
            locked: U256::from(3),
        };
        let check = |needed| {
            let account = Address::repeat_byte(9);
            Shortfall::check(account, U256::from(needed), &present, "local")
        };
        assert!(check(10).is_ok());
        let short = check(14).unwrap_err();
        assert_eq!(
            short.hint(),
            "deposit what is missing: `iexec account deposit 4 nRLC --chain local`"
        );
        let text = short.to_string();
        for part in ["14 nRLC", "10 nRLC", "3 nRLC", &short.account.to_string()] {
            assert!(text.contains(part), "{text}");
        }
    }
}
