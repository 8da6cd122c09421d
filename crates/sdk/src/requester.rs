//! Secrets of a requester, which a confidential task may use (spec/client.md §1.4, §3.3).

use chain::Wallet;

use crate::{Client, Error, services::sms};

/// Longest name (spec/secrets-tee.md §1.2).
const NAME_CHARACTERS_MAX: usize = 64;
/// Longest value (spec/secrets-tee.md §1.2).
const VALUE_BYTES_MAX: usize = 4_096;

/// Keeps a secret in the SMS; it cannot be read back or changed.
///
/// # Errors
/// [`Error::Invalid`] for a name or value the SMS does not take, [`Error::NamedSecretExists`],
/// [`Error::Api`].
pub async fn push_secret(
    client: &Client,
    wallet: &Wallet,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    check_value(value)?;
    if sms::has_requester_secret(client, wallet.address(), name).await? {
        return Err(Error::NamedSecretExists {
            name: name.to_owned(),
            owner: wallet.address(),
        });
    }
    sms::push_requester_secret(client, wallet, name, value).await
}

/// A name becomes part of a URL: one that the SMS does not take must not become another request.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let length = name.chars().count();
    if !(1..=NAME_CHARACTERS_MAX).contains(&length) || !name.chars().all(is_good) {
        let rule = "1 to 64 letters, digits, - and _";
        return Err(Error::invalid(
            "secretName",
            format!("`{name}` is not made of {rule}"),
        ));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), Error> {
    match value.len() {
        0 => Err(Error::invalid("--secret-value", "it is empty")),
        1..=VALUE_BYTES_MAX => Ok(()),
        _ => Err(Error::invalid("--secret-value", "it is over 4096 bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sms_does_not_take_is_refused_before() {
        assert!(check_name("my-secret_1").is_ok());
        for bad in ["", "a b", "é", "a/b", "a#b", "a?b", "..", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_value("").is_err());
        assert!(check_value(&"x".repeat(VALUE_BYTES_MAX)).is_ok());
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        let error = check_value(&long).unwrap_err().to_string();
        assert!(error.len() < 100, "the secret was shown");
    }
}
