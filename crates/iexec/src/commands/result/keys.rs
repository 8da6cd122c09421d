//! Where the beneficiary's keys are (spec/client.md §2.3).

use std::path::{Path, PathBuf};

use protocol::Address;
use sdk::result::keypair::{self, KeyPair};
use serde_json::{Value, json};

use crate::{
    context::{Context, read, write, write_secret},
    outcome::Failure,
    prompt,
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

    /// Asks before keys of the beneficiary are overwritten.
    pub(super) fn make_room(
        &self,
        context: &Context,
        beneficiary: Address,
        is_forced: bool,
    ) -> Result<[PathBuf; 2], Failure> {
        let dir = self.path(context);
        let files = keypair::file_names(beneficiary).map(|name| dir.join(name));
        if !is_forced && files.iter().any(|file| file.exists()) {
            let private = files[0].display();
            prompt::confirm(&format!("{private} exists already, overwrite it?"))?;
        }
        Ok(files)
    }

    /// Writes both keys of the beneficiary; the keys of `--raw` come back.
    pub(super) fn save(
        &self,
        context: &Context,
        [private, public]: &[PathBuf; 2],
        pair: &KeyPair,
    ) -> Result<Value, Failure> {
        write_secret(private, &pair.private)?;
        write(public, &pair.public)?;
        Ok(json!({
            "secretPath": self.path(context).display().to_string(),
            "privateKeyFile": name(private),
            "publicKeyFile": name(public),
        }))
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

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
