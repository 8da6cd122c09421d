//! Where the beneficiary's keys are (spec/client.md §2.3).

use std::path::PathBuf;

use protocol::Address;
use sdk::result::keypair;

use crate::{
    context::{Context, read},
    outcome::Failure,
};

/// The directory of the beneficiary's keys.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyDirArgs {
    /// Directory of the beneficiary's keys
    #[arg(long, value_name = "path", default_value = ".secrets/beneficiary")]
    beneficiary_keystoredir: String,
}

impl KeyDirArgs {
    /// Relative to the project's folder.
    pub(crate) fn path(&self, context: &Context) -> PathBuf {
        context.project.join(&self.beneficiary_keystoredir)
    }

    /// The private key in the file called `name`, else in the one of `beneficiary`.
    pub(crate) fn private_key(
        &self,
        context: &Context,
        name: Option<&str>,
        beneficiary: impl FnOnce() -> Result<Address, Failure>,
    ) -> Result<String, Failure> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                let [private, _] = keypair::file_names(beneficiary()?);
                private
            }
        };
        let path = self.path(context).join(name);
        read(&path)?.ok_or_else(|| {
            Failure::new(format!("no beneficiary key at {}", path.display())).hint(
                "name it with --beneficiary-key-file, or make one with `iexec result \
                 generate-encryption-keypair`",
            )
        })
    }
}
