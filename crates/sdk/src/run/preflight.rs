//! What a run needs besides orders and money, asked before anything is signed
//! (spec/client.md §5.1).

use chain::AppInfo;
use protocol::{Address, Tag, order::RequestOrder, params::DealParams};

use crate::{
    Client, Code, Error, Misuse,
    dataset::probe,
    order::tags,
    run::check::Orders,
    services::sms::{self, DROPBOX_TOKEN, RESULT_ENCRYPTION_KEY},
};

/// Something that is not in the SMS.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Missing {
    code: Code,
    what: String,
    /// The command that puts it there, and who must type it.
    remedy: String,
}

/// How an app is made to fit again.
const REDEPLOY: &str = "its owner deploys it again; or use --skip-preflight-check";

/// The app, if workers can run it at all: it has the checksum that pins its image, and no enclave
/// configuration of the frameworks that are gone.
///
/// Whether the image can be pulled is for the worker to find out: it may lie in a registry that
/// only workers reach.
///
/// # Errors
/// [`Error::Misuse`], [`Error::NotFound`], [`Error::Chain`].
pub async fn app(client: &Client, app: Address) -> Result<AppInfo, Error> {
    let info = crate::app::show(client, app).await?;
    if info.checksum.is_zero() {
        let reason = format!(
            "app {app} has no checksum: no worker can tell whether its image is the right one"
        );
        return Err(Misuse::error(Code::ImageNotPinned, reason, REDEPLOY));
    }
    if !info.mrenclave.is_empty() {
        let reason = format!("app {app} is made for an enclave framework that is no longer served");
        return Err(Misuse::error(Code::LegacyEnclaveApp, reason, REDEPLOY));
    }
    Ok(info)
}

/// Checks what the deal of these orders needs besides money; what could not be looked at comes
/// back, for people.
///
/// # Errors
/// As [`request`]; [`Error::Misuse`] for a tag that no secret manager knows.
pub async fn deal(client: &Client, orders: &Orders) -> Result<Vec<String>, Error> {
    let tag = orders.tag();
    tags::check_deal(tag)?;
    request(client, &orders.request.order, tag).await
}

/// Checks that every secret which the request needs is in the SMS, and that its dataset is an
/// encrypted one; `tag` is that of the whole deal. Standard runs need no secret, and no dataset
/// that has one. What could not be looked at comes back, for people.
///
/// # Errors
/// [`Error::Misuse`] naming all that are missing and the commands that push them, [`Error::Api`].
pub async fn request(
    client: &Client,
    request: &RequestOrder,
    tag: Tag,
) -> Result<Vec<String>, Error> {
    if !tag.is_tee() {
        return open_dataset(client, request.dataset)
            .await
            .map(|()| Vec::new());
    }
    let params = DealParams::from_chain(&request.params);
    let mut missing = Vec::new();
    missing.extend(dataset_key(client, request.dataset).await?);
    missing.extend(result_key(client, request, &params).await?);
    missing.extend(storage_token(client, request, &params).await?);
    for name in params
        .iexec_secrets
        .iter()
        .flat_map(|secrets| secrets.values())
    {
        missing.extend(requester_secret(client, request.requester, name).await?);
    }
    verdict(&missing, &client.chain().name)?;
    dataset_file(client, request.dataset).await
}

/// Checks that the key of a dataset is in the SMS, and that its file is an encrypted one.
///
/// # Errors
/// As [`request`].
pub async fn dataset(client: &Client, dataset: Address) -> Result<Vec<String>, Error> {
    let missing = dataset_key(client, dataset).await?;
    verdict(missing.as_slice(), &client.chain().name)?;
    dataset_file(client, dataset).await
}

async fn dataset_file(client: &Client, dataset: Address) -> Result<Vec<String>, Error> {
    if dataset.is_zero() {
        return Ok(Vec::new());
    }
    let info = crate::dataset::show(client, dataset).await?;
    Ok(match probe::probe(client, dataset, &info).await? {
        probe::Finding::Unknown(reason) => vec![format!(
            "whether the file of dataset {dataset} is encrypted could not be checked: {reason}"
        )],
        probe::Finding::Whole | probe::Finding::Length => Vec::new(),
    })
}

/// A standard run gets an encrypted dataset as it is. A secret manager that cannot be asked is no
/// reason against a run that needs none.
async fn open_dataset(client: &Client, dataset: Address) -> Result<(), Error> {
    let has_key = async || sms::has_dataset_key(client, dataset).await.unwrap_or(false);
    if dataset.is_zero() || client.chain().sms.is_none() || !has_key().await {
        return Ok(());
    }
    Err(Misuse::error(
        Code::DatasetNeedsTee,
        format!("dataset {dataset} is encrypted, and a run without tag tee,tdx gets no key for it"),
        "add --tag tee,tdx, for an app and a workerpool that have it; or use \
         --skip-preflight-check",
    ))
}

async fn dataset_key(client: &Client, dataset: Address) -> Result<Option<Missing>, Error> {
    if dataset.is_zero() || sms::has_dataset_key(client, dataset).await? {
        return Ok(None);
    }
    Ok(Some(Missing {
        code: Code::DatasetKeyMissing,
        what: format!("the key of dataset {dataset}"),
        remedy: format!("its owner types `iexec dataset push-secret {dataset}`"),
    }))
}

async fn result_key(
    client: &Client,
    request: &RequestOrder,
    params: &DealParams,
) -> Result<Option<Missing>, Error> {
    let owner = request.beneficiary;
    if params.iexec_result_encryption != Some(true)
        || sms::has_web2(client, owner, RESULT_ENCRYPTION_KEY).await?
    {
        return Ok(None);
    }
    Ok(Some(Missing {
        code: Code::ResultKeyMissing,
        what: format!("the result encryption key of {owner}"),
        remedy: "the beneficiary types `iexec result push-encryption-key`".to_owned(),
    }))
}

async fn storage_token(
    client: &Client,
    request: &RequestOrder,
    params: &DealParams,
) -> Result<Option<Missing>, Error> {
    let owner = request.requester;
    if params.iexec_result_storage_provider.as_deref() != Some("dropbox")
        || sms::has_web2(client, owner, DROPBOX_TOKEN).await?
    {
        return Ok(None);
    }
    Ok(Some(Missing {
        code: Code::StorageTokenMissing,
        what: format!("the dropbox token of {owner}"),
        remedy: "type `iexec storage init dropbox`".to_owned(),
    }))
}

async fn requester_secret(
    client: &Client,
    requester: Address,
    name: &str,
) -> Result<Option<Missing>, Error> {
    if sms::has_requester_secret(client, requester, name).await? {
        return Ok(None);
    }
    Ok(Some(Missing {
        code: Code::RequesterSecretMissing,
        what: format!("the secret `{name}` of {requester}"),
        remedy: format!("type `iexec requester push-secret {name}`"),
    }))
}

/// The code is that of the first.
fn verdict(missing: &[Missing], chain: &str) -> Result<(), Error> {
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let what: Vec<_> = missing.iter().map(|it| it.what.as_str()).collect();
    let remedies: Vec<_> = missing
        .iter()
        .map(|it| with_chain(&it.remedy, chain))
        .collect();
    Err(Misuse::error(
        first.code,
        format!("not in the SMS: {}", what.join(", ")),
        format!("{}; or use --skip-preflight-check", remedies.join("; ")),
    ))
}

fn with_chain(remedy: &str, chain: &str) -> String {
    match remedy.strip_suffix('`') {
        Some(command) => format!("{command} --chain {chain}`"),
        None => remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_told_with_its_command() {
        let missing = |what: &str, remedy: &str| Missing {
            code: Code::DatasetKeyMissing,
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        };
        let both = [
            missing("the key", "its owner types `iexec dataset push-secret 0x1`"),
            missing("the token", "type `iexec storage init dropbox`"),
        ];
        let error = verdict(&both, "local").unwrap_err();
        assert_eq!(error.to_string(), "not in the SMS: the key, the token");
        assert_eq!(error.code(), Some("DATASET_KEY_MISSING"));
        assert_eq!(
            error.hint().unwrap(),
            "its owner types `iexec dataset push-secret 0x1 --chain local`; type \
             `iexec storage init dropbox --chain local`; or use --skip-preflight-check"
        );
        assert!(verdict(&[], "local").is_ok());
    }
}
