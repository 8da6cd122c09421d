//! What a confidential run needs in the SMS, asked before anything is paid (spec/client.md §5.1).

use protocol::Address;

use crate::{
    Client, Error,
    run::request::Wishes,
    services::sms::{self, DROPBOX_TOKEN, RESULT_ENCRYPTION_KEY},
};

/// Checks that every secret which the request names is there. Standard runs need none.
///
/// # Errors
/// [`Error::Configuration`] naming the first one that is missing, [`Error::Api`].
pub async fn check(client: &Client, requester: Address, wishes: &Wishes) -> Result<(), Error> {
    if !wishes.tag.is_tee() {
        return Ok(());
    }
    let params = &wishes.params;
    if let Some(dataset) = wishes.dataset
        && !sms::has_dataset_key(client, dataset).await?
    {
        return Err(missing(format!("the key of dataset {dataset}")));
    }
    if params.iexec_result_encryption == Some(true) {
        let beneficiary = wishes.beneficiary.unwrap_or(requester);
        if !sms::has_web2(client, beneficiary, RESULT_ENCRYPTION_KEY).await? {
            return Err(missing(format!(
                "the result encryption key of {beneficiary}"
            )));
        }
    }
    if params.iexec_result_storage_provider.as_deref() == Some("dropbox")
        && !sms::has_web2(client, requester, DROPBOX_TOKEN).await?
    {
        return Err(missing(format!("the dropbox token of {requester}")));
    }
    for name in params
        .iexec_secrets
        .iter()
        .flat_map(|secrets| secrets.values())
    {
        if !sms::has_requester_secret(client, requester, name).await? {
            return Err(missing(format!("the secret `{name}` of {requester}")));
        }
    }
    Ok(())
}

fn missing(what: String) -> Error {
    Error::Configuration {
        reason: format!("{what} is not in the SMS"),
        hint: Some("push it first, or use --skip-preflight-check".to_owned()),
    }
}
