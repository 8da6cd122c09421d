//! Where the files of datasets and their keys lie in a project (spec/client.md §2.3).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    context::{Context, create_private_dir},
    outcome::Failure,
};

/// The key made last: what `push-secret` takes when nothing is said.
pub(super) const LAST_KEY: &str = "dataset.key";

/// Options.
#[derive(Debug, Default, clap::Args)]
pub(super) struct FolderArgs {
    /// Folder of the keys [default: .secrets/datasets]
    #[arg(long, value_name = "path")]
    dataset_keystoredir: Option<PathBuf>,
    /// Folder of the files to encrypt [default: datasets/original]
    #[arg(long, value_name = "path")]
    original_dataset_dir: Option<PathBuf>,
    /// Folder of the encrypted files [default: datasets/encrypted]
    #[arg(long, value_name = "path")]
    encrypted_dataset_dir: Option<PathBuf>,
}

/// The three folders, absolute.
#[derive(Debug)]
pub(super) struct Folders {
    pub(super) keys: PathBuf,
    pub(super) original: PathBuf,
    pub(super) encrypted: PathBuf,
}

impl Folders {
    /// What the options say, else the official places.
    pub(super) fn of(args: &FolderArgs, context: &Context) -> Result<Self, Failure> {
        let place = |given: &Option<PathBuf>, default: &str| {
            let path = given.as_deref().unwrap_or(Path::new(default));
            let path = std::path::absolute(context.project.join(path));
            path.map_err(|error| Failure::new(format!("no such folder: {error}")))
        };
        Ok(Self {
            keys: place(&args.dataset_keystoredir, ".secrets/datasets")?,
            original: place(&args.original_dataset_dir, "datasets/original")?,
            encrypted: place(&args.encrypted_dataset_dir, "datasets/encrypted")?,
        })
    }

    fn all(&self) -> [&Path; 3] {
        [&self.keys, &self.original, &self.encrypted]
    }

    /// Makes those that are missing.
    pub(super) fn create(&self) -> Result<(), Failure> {
        let failed = |folder: &Path, error: io::Error| {
            Failure::new(format!("failed to create {}: {error}", folder.display()))
        };
        create_private_dir(&self.keys).map_err(|error| failed(&self.keys, error))?;
        for folder in [&self.original, &self.encrypted] {
            fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        Ok(())
    }

    /// Fails unless all are there.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.all().into_iter().find(|folder| !folder.is_dir()) {
            None => Ok(()),
            Some(missing) => Err(Failure::new(format!(
                "the folder {} for dataset encryption is missing",
                missing.display()
            ))
            .hint("run `iexec dataset init --encrypted` first")),
        }
    }
}
