//! What a confidential task's enclave is to be given, stage by stage (spec/secrets-tee.md §1.5):
//! a pure function of the deal and the secrets. The stages' variables are the official ones.

use std::collections::BTreeMap;

use chain::{AppInfo, DatasetInfo};
use protocol::{
    Address, B256, Cause, TaskId,
    deal::Deal,
    digest,
    environment::{IN, Inputs},
    multiaddr,
    params::DealParams,
};
use serde::{Deserialize, Serialize};

use super::Refused;
use crate::{Error, Value};

/// Version of the form of a session for TDX.
const VERSION: &str = "0.1.0";
const PRE_COMPUTE: &str = "pre-compute";
const APP: &str = "app";
const POST_COMPUTE: &str = "post-compute";

/// An image of the service's own stages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Where it is, e.g. `registry.example/pre-compute:1`; empty where enclaves do the stage with
    /// code of their own.
    pub image: String,
    /// What it has to be: the digest of its manifest, `0x` and 64 digits. The enclave runs no
    /// other, since it hands the stage's secrets to it.
    pub fingerprint: String,
}

impl Image {
    fn is_pinned(&self) -> bool {
        let print = &self.fingerprint;
        self.image.is_empty() || (print.starts_with("0x") && print.parse::<B256>().is_ok())
    }
}

/// The stages around the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pipeline {
    /// Fetches and decrypts.
    #[serde(default)]
    pub pre_compute: Image,
    /// Encrypts, uploads and signs.
    #[serde(default)]
    pub post_compute: Image,
}

impl Pipeline {
    /// Whether every image is named with what it has to be.
    ///
    /// # Errors
    /// [`Error::Unpinned`] with the one that is not.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut images = [&self.pre_compute, &self.post_compute].into_iter();
        match images.find(|image| !image.is_pinned()) {
            Some(image) => Err(Error::Unpinned {
                image: image.image.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// What the chain says about a task.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) task: TaskId,
    pub(crate) index: u64,
    pub(crate) deal: Deal,
    pub(crate) app: AppInfo,
    /// None when the deal has none, or one without a file.
    pub(crate) dataset: Option<DatasetInfo>,
    /// The task's part of a bulk; all of them may be used by the deal.
    pub(crate) bulk: Vec<DatasetInfo>,
    pub(crate) params: DealParams,
}

impl Description {
    fn needs_pre_compute(&self) -> bool {
        let has_files = !self.params.input_files().is_empty();
        self.dataset.is_some() || !self.bulk.is_empty() || has_files
    }

    /// The datasets of the bulk with what the names of their variables begin with.
    fn bulk(&self) -> impl Iterator<Item = (String, &DatasetInfo)> {
        let numbered = (1..).zip(&self.bulk);
        numbered.map(|(number, dataset)| (format!("IEXEC_DATASET_{number}"), dataset))
    }

    /// None without a bulk.
    fn bulk_size(&self) -> Option<(String, String)> {
        let size = Some(self.bulk.len()).filter(|size| *size > 0)?;
        Some(named("IEXEC_BULK_SLICE_SIZE", size.to_string()))
    }
}

/// What the vault holds for a task; what nobody pushed is absent.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    pub(crate) dataset_key: Option<Value>,
    /// By dataset.
    pub(crate) bulk_keys: BTreeMap<Address, Value>,
    pub(crate) app: Option<Value>,
    /// By the number under which the app gets it, as written in the deal.
    pub(crate) requester: BTreeMap<String, Value>,
    pub(crate) result_key: Option<Value>,
    pub(crate) storage_token: Option<Value>,
    pub(crate) storage_url: Option<Value>,
}

/// Who gets the session, and the key its enclave signs with.
#[derive(Debug)]
pub(crate) struct Recipient<'a> {
    pub(crate) worker: Address,
    pub(crate) key: &'a Value,
}

/// A session as the official session store takes it. It is secret as a whole: no `Debug`.
#[derive(PartialEq, Eq, Serialize)]
pub(crate) struct Session {
    name: String,
    version: &'static str,
    services: Vec<Stage>,
}

#[derive(PartialEq, Eq, Serialize)]
struct Stage {
    name: &'static str,
    image_name: String,
    fingerprint: String,
    environment: BTreeMap<String, String>,
}

impl Session {
    /// The text to seal.
    pub(crate) fn to_value(&self) -> Result<Value, Cause> {
        let text = serde_json::to_string(self);
        text.map(Value::new)
            .map_err(|_| Cause::SessionGenerationFailed)
    }
}

type Variables = Vec<(String, String)>;

/// The session `id` of a task for `recipient`.
///
/// # Errors
/// Which secret is missing.
pub(crate) fn build(
    id: String,
    task: &Description,
    secrets: &Secrets,
    recipient: &Recipient<'_>,
    pipeline: &Pipeline,
) -> Result<Session, Refused> {
    let own = |name, image: &Image, variables: Variables| Stage {
        name,
        image_name: image.image.clone(),
        fingerprint: image.fingerprint.clone(),
        environment: signing(task, recipient)
            .into_iter()
            .chain(variables)
            .collect(),
    };
    let mut services = Vec::new();
    if task.needs_pre_compute() {
        let variables = pre_compute(task, secrets)?;
        services.push(own(PRE_COMPUTE, &pipeline.pre_compute, variables));
    }
    services.push(Stage {
        name: APP,
        image_name: multiaddr::decode(&task.app.multiaddr),
        fingerprint: format!("{:#x}", task.app.checksum),
        environment: app(task, secrets).into_iter().collect(),
    });
    let variables = post_compute(task, secrets)?;
    services.push(own(POST_COMPUTE, &pipeline.post_compute, variables));
    Ok(Session {
        name: id,
        version: VERSION,
        services,
    })
}

fn named(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// Common to the service's own stages, which sign what they report. The app gets no key.
fn signing(task: &Description, recipient: &Recipient<'_>) -> Variables {
    vec![
        named("IEXEC_TASK_ID", task.task.to_string()),
        named("SIGN_WORKER_ADDRESS", recipient.worker.to_checksum(None)),
        named("SIGN_TEE_CHALLENGE_PRIVATE_KEY", recipient.key.expose()),
    ]
}

fn pre_compute(task: &Description, secrets: &Secrets) -> Result<Variables, Refused> {
    let files = task.params.input_files();
    let mut all = vec![
        named("IEXEC_PRE_COMPUTE_OUT", IN),
        named("IS_DATASET_REQUIRED", task.dataset.is_some().to_string()),
        named("IEXEC_DEAL_ID", task.deal.id.to_string()),
        named("IEXEC_TASK_INDEX", task.index.to_string()),
        named("IEXEC_INPUT_FILES_NUMBER", files.len().to_string()),
    ];
    if !files.is_empty() {
        all.push(named("IEXEC_INPUT_FILES_FOLDER", IN));
    }
    for (number, url) in (1..).zip(files) {
        all.push(named(&format!("IEXEC_INPUT_FILE_URL_{number}"), url));
    }
    if let Some(dataset) = &task.dataset {
        let key = secrets.dataset_key.as_ref();
        all.extend(dataset_variables("IEXEC_DATASET", dataset, key)?);
    }
    all.extend(task.bulk_size());
    for (prefix, dataset) in task.bulk() {
        let key = secrets.bulk_keys.get(&dataset.address);
        all.extend(dataset_variables(&prefix, dataset, key)?);
    }
    Ok(all)
}

fn dataset_variables(
    prefix: &str,
    dataset: &DatasetInfo,
    key: Option<&Value>,
) -> Result<[(String, String); 4], Refused> {
    let missing = || {
        let reason = format!("nobody has pushed the key of dataset {}", dataset.address);
        Refused::new(Cause::SessionDatasetSecretFailed, reason)
    };
    let key = key.ok_or_else(missing)?.expose().trim();
    let variable = |field, value| (format!("{prefix}_{field}"), value);
    Ok([
        variable("KEY", key.to_owned()),
        variable("URL", multiaddr::decode(&dataset.multiaddr)),
        variable("CHECKSUM", format!("{:#x}", dataset.checksum)),
        variable("FILENAME", dataset.address.to_checksum(None)),
    ])
}

fn app(task: &Description, secrets: &Secrets) -> Variables {
    let name = |url: &String| format!("{:#x}", digest::file(url.as_bytes()));
    let files = task.params.input_files().iter().map(name).collect();
    let mut all = Inputs::of(&task.deal, task.index, files).variables();
    all.extend(task.bulk_size());
    for (prefix, dataset) in task.bulk() {
        let name = dataset.address.to_checksum(None);
        all.push((format!("{prefix}_FILENAME"), name));
    }
    if let Some(secret) = &secrets.app {
        all.push(named("IEXEC_APP_DEVELOPER_SECRET", secret.expose()));
        all.push(named("IEXEC_APP_DEVELOPER_SECRET_1", secret.expose()));
    }
    for (number, secret) in &secrets.requester {
        let name = format!("IEXEC_REQUESTER_SECRET_{number}");
        all.push(named(&name, secret.expose()));
    }
    all
}

fn post_compute(task: &Description, secrets: &Secrets) -> Result<Variables, Cause> {
    let encrypts = task.params.iexec_result_encryption == Some(true);
    let key = match &secrets.result_key {
        _ if !encrypts => "",
        Some(key) => key.expose().trim(),
        None => return Err(Cause::SessionEmptyBeneficiaryKey),
    };
    let mut all = vec![
        named("RESULT_ENCRYPTION", encrypts.to_string()),
        named("RESULT_ENCRYPTION_PUBLIC_KEY", key),
        named(
            "RESULT_STORAGE_CALLBACK",
            task.deal.has_callback().to_string(),
        ),
    ];
    all.extend(storage(task, secrets)?);
    Ok(all)
}

/// The result of a deal with a callback goes to the chain only.
fn storage(task: &Description, secrets: &Secrets) -> Result<[(String, String); 3], Cause> {
    let (mut provider, mut proxy, mut token) = ("", "", "");
    if !task.deal.has_callback() {
        let params = &task.params;
        let missing = Cause::SessionStorageTokensFailed;
        let pool = || secrets.storage_url.as_ref().map(Value::expose);
        provider = params
            .iexec_result_storage_provider
            .as_deref()
            .unwrap_or("ipfs");
        proxy = params
            .iexec_result_storage_proxy
            .as_deref()
            .or_else(pool)
            .unwrap_or_default();
        token = secrets
            .storage_token
            .as_ref()
            .ok_or(missing)?
            .expose()
            .trim();
    }
    Ok([
        named("RESULT_STORAGE_PROVIDER", provider),
        named("RESULT_STORAGE_PROXY", proxy),
        named("RESULT_STORAGE_TOKEN", token),
    ])
}
