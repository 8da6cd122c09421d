//! What somebody wishes when they run an app or ask for an execution.

use protocol::{Address, U256, order::Kind as OrderKind};
use sdk::{
    Client,
    files::deployed_json::Kind,
    order::tags,
    parse,
    run::request::{TypedParams, Wishes},
};

use crate::{context::Context, outcome::Failure};

/// Options.
#[derive(Debug, clap::Args)]
pub(super) struct WishArgs {
    /// Dataset to use, or `deployed`
    #[arg(long, value_name = "address")]
    dataset: Option<String>,
    /// Workerpool to run on, or `deployed`; any if left out
    #[arg(long, value_name = "address")]
    workerpool: Option<String>,
    /// Arguments for the app
    #[arg(long, allow_hyphen_values = true)]
    args: Option<String>,
    /// URLs of input files, between commas
    #[arg(long, value_name = "fileUrl")]
    input_files: Option<String>,
    /// Secrets of the requester: `<number>=<name>`
    #[arg(long, value_name = "mapping", num_args = 1..)]
    secret: Vec<String>,
    /// Category, i.e. how long a task may take; the smallest on offer if left out
    #[arg(long, value_name = "id")]
    category: Option<String>,
    /// Tasks, each with its number in IEXEC_BOT_TASK_INDEX (an extension of this program)
    #[arg(long)]
    volume: Option<String>,
    /// What the machine must have, e.g. `tee,tdx`
    #[arg(long)]
    tag: Option<String>,
    /// Where the result goes: `ipfs` or `dropbox`
    #[arg(long, value_name = "provider")]
    storage_provider: Option<String>,
    /// Contract to call with the result
    #[arg(long, value_name = "address")]
    callback: Option<String>,
    /// Encrypt the result for the beneficiary
    #[arg(long)]
    encrypt_result: bool,
    /// How sure the result must be
    #[arg(long, value_name = "integer")]
    trust: Option<String>,
    /// Who may decrypt the result
    #[arg(long, value_name = "address")]
    beneficiary: Option<String>,
    /// Further parameters as JSON
    #[arg(long, value_name = "json", allow_hyphen_values = true)]
    params: Option<String>,
}

impl WishArgs {
    /// Reads them; `app` is the app as typed.
    pub(super) fn read(
        &self,
        app: Option<&str>,
        context: &Context,
        client: &Client,
    ) -> Result<Wishes, Failure> {
        let chain_id = client.hub().chain_id();
        let optional = |given: &Option<String>, kind| {
            let given = given.as_deref();
            let address =
                given.map(|given| context.address_or_deployed(Some(given), kind, chain_id));
            address.transpose()
        };
        let address = |given: &Option<String>, option| {
            given
                .as_deref()
                .map(|given| parse::address(option, given))
                .transpose()
        };
        let number = |given: &Option<String>, option| {
            given
                .as_deref()
                .map(|given| parse::small(option, given))
                .transpose()
        };
        let typed = TypedParams {
            params: self.params.as_deref(),
            args: self.args.as_deref(),
            input_files: self.input_files.as_deref(),
            secrets: &self.secret,
            storage_provider: self.storage_provider.as_deref(),
            encrypt_result: self.encrypt_result,
        };
        let tag = self.tag.as_deref().unwrap_or_default();
        let tag = tags::read("--tag", OrderKind::Request, tag)?;
        let volume = number(&self.volume, "--volume")?.unwrap_or(1);
        if volume == 0 {
            return Err(sdk::Error::invalid("--volume", "a run has at least one task").into());
        }
        let trust = number(&self.trust, "--trust")?.unwrap_or_default();
        Ok(Wishes {
            app: context.address_or_deployed(app, Kind::App, chain_id)?,
            dataset: optional(&self.dataset, Kind::Dataset)?.filter(|a| *a != Address::ZERO),
            workerpool: optional(&self.workerpool, Kind::Workerpool)?,
            category: number(&self.category, "--category")?,
            volume: U256::from(volume),
            tag,
            trust: U256::from(trust),
            beneficiary: address(&self.beneficiary, "--beneficiary")?,
            callback: address(&self.callback, "--callback")?.unwrap_or_default(),
            params: typed.read()?,
        })
    }
}
