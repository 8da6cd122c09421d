//! `iexec dataset encrypt`.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use protocol::B256;
use sdk::dataset::{Key, cipher};
use serde_json::{Value, json};

use super::folders::{FolderArgs, Folders, LAST_KEY};
use crate::{
    context::{Context, write_secret},
    outcome::{Failure, Report},
    progress::Progress,
    prompt,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec dataset encrypt")]
pub(crate) struct Args {
    /// Overwrite encrypted files and keys without asking
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    folders: FolderArgs,
}

/// One file and what becomes of it.
struct Job {
    original: PathBuf,
    encrypted: PathBuf,
    key: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let folders = Folders::of(&args.folders, context)?;
    folders.check()?;
    let jobs = jobs(&folders, context)?;
    if !args.force {
        confirm_overwrite(&jobs)?;
    }
    let mut done = Vec::new();
    for job in &jobs {
        done.push(job.run(&folders, context)?);
    }
    let (encrypted, keys) = (folders.encrypted.display(), folders.keys.display());
    let message = format!(
        "Encrypted datasets stored in \"{encrypted}\", you can publish the encrypted files.\n\
         Datasets keys stored in \"{keys}\", make sure to backup them.\n\
         Once you deploy an encrypted dataset run \"iexec dataset push-secret [datasetAddress]\" \
         to securely share the dataset key with the workers."
    );
    let raw = json!({
        "encryptedDatasetFolderPath": encrypted.to_string(),
        "secretPath": keys.to_string(),
        "encryptedFiles": done,
    });
    Ok(Report::new(raw, message).with_data(&json!(done)))
}

/// The files of the original folder by name. One whose key is called like the copy of the last key
/// comes last, or that copy would take its place.
fn jobs(folders: &Folders, context: &Context) -> Result<Vec<Job>, Failure> {
    let failed = |error: io::Error| {
        Failure::new(format!(
            "failed to list {}: {error}",
            folders.original.display()
        ))
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(&folders.original).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        match entry.file_type().map_err(failed)?.is_file() {
            true => names.push(name),
            false => context.note(format!(
                "Datasets must be single files, skipping {}",
                name.to_string_lossy()
            )),
        }
    }
    if names.is_empty() {
        let folder = folders.original.display();
        return Err(Failure::new(format!(
            "the folder {folder} has no file, nothing to encrypt"
        ))
        .hint(format!("copy the files to encrypt into {folder}")));
    }
    names.sort_by_key(|name| (with_suffix(name, ".key") == LAST_KEY, name.clone()));
    Ok(names.iter().map(|name| Job::of(name, folders)).collect())
}

fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

/// A key that is overwritten no longer opens what it encrypted before: one question for all.
fn confirm_overwrite(jobs: &[Job]) -> Result<(), Failure> {
    let files = jobs.iter().flat_map(|job| [&job.key, &job.encrypted]);
    let names: Vec<_> = files
        .filter(|path| path.exists())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy()))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    prompt::confirm(&format!(
        "{} exist already: overwrite? What the old keys encrypted can't be opened any more",
        names.join(", ")
    ))
}

impl Job {
    fn of(name: &OsStr, folders: &Folders) -> Self {
        Self {
            original: folders.original.join(name),
            encrypted: folders.encrypted.join(with_suffix(name, ".enc")),
            key: folders.keys.join(with_suffix(name, ".key")),
        }
    }

    /// The encrypted file takes its place only when it is whole and its key is safe.
    fn run(&self, folders: &Folders, context: &Context) -> Result<Value, Failure> {
        context.note(format!("Encrypting {}", self.original.display()));
        let key = Key::random();
        let partial = PathBuf::from(with_suffix(self.encrypted.as_os_str(), ".partial"));
        let made = self
            .encrypt(&key, &partial, context.raw)
            .and_then(|checksum| {
                write_secret(&self.key, &key.to_text())?;
                write_secret(&folders.keys.join(LAST_KEY), &key.to_text())?;
                fs::rename(&partial, &self.encrypted)
                    .map_err(|error| failed("write", &self.encrypted, &error))?;
                Ok(checksum)
            });
        if made.is_err() {
            let _ = fs::remove_file(&partial);
        }
        let checksum = made?;
        context.note(format!("Generated key {}", self.key.display()));
        context.note(format!(
            "Generated encrypted dataset {}",
            self.encrypted.display()
        ));
        context.note(format!("Dataset checksum is {checksum}"));
        Ok(json!({
            "original": self.original.to_string_lossy(),
            "encrypted": self.encrypted.to_string_lossy(),
            "key": self.key.to_string_lossy(),
            "checksum": checksum,
        }))
    }

    fn encrypt(&self, key: &Key, to: &Path, is_raw: bool) -> Result<B256, Failure> {
        let read = |error: io::Error| failed("read", &self.original, &error);
        let mut from = File::open(&self.original).map_err(read)?;
        let length = from.metadata().map_err(read)?.len();
        let progress = Progress::new(is_raw, length);
        let wrote = |error: io::Error| failed("encrypt", &self.original, &error);
        let mut file = BufWriter::new(File::create(to).map_err(|e| failed("write", to, &e))?);
        let seen = |count| progress.set(count);
        let iv = cipher::random_iv();
        let checksum = cipher::encrypt(key, iv, &mut from, &mut file, seen).map_err(wrote)?;
        file.flush().map_err(wrote)?;
        Ok(checksum)
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("failed to {what} {}: {error}", path.display()))
}
