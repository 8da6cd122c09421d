//! Before the app: datasets are fetched, compared with their checksums and decrypted, input files
//! are fetched (spec/secrets-tee.md §2.2). What goes wrong with one of them does not keep the
//! others back; all of it is told.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use protocol::{
    B256, Cause,
    cipher::{self, Key},
    digest,
};
use worker::{
    Failure,
    inputs::{Fetcher, Policy},
};

use crate::environment::StageEnvironment;

/// Datasets of one task: what the client puts in one slice of a bulk.
const DATASETS_MAX: usize = 100;
/// Input files of one task; a deal's parameters could not name more.
const INPUT_FILES_MAX: usize = 1_000;
/// Bytes of a file name, as the kernel has it.
const NAME_BYTES_MAX: usize = 255;
/// An encrypted dataset is longer than its content by at most this, bytes.
const CIPHER_BYTES_MAX: u64 = 32;
/// The encrypted file, until it is decrypted.
const DOWNLOAD: &str = "dataset.enc";

/// Where a task's inputs come from and go to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a> {
    /// The folder that becomes `IEXEC_IN`. What is decrypted is nowhere else.
    pub(crate) inputs: &'a Path,
    /// For encrypted files on their way; may be on a disk.
    pub(crate) scratch: &'a Path,
    /// Where anything may be fetched from.
    pub(crate) policy: &'a Policy,
    /// Everything has to be there by then.
    pub(crate) deadline: Instant,
    /// Bytes of all inputs together.
    pub(crate) bytes_max: u64,
}

/// One dataset as the session has it.
struct Dataset<'a> {
    name: &'a str,
    url: &'a str,
    checksum: &'a str,
    key: &'a str,
}

impl<'a> Dataset<'a> {
    /// Of the variables `<prefix>_…`; the first that is missing is told.
    fn of(environment: &'a StageEnvironment, prefix: &str) -> Result<Self, Failure> {
        let get = |field, cause| {
            let name = format!("{prefix}_{field}");
            let value = environment.get(&name);
            value.ok_or_else(|| missing(cause, &name))
        };
        Ok(Self {
            name: get("FILENAME", Cause::PreDatasetFilenameMissing)?,
            url: get("URL", Cause::PreDatasetUrlMissing)?,
            checksum: get("CHECKSUM", Cause::PreDatasetChecksumMissing)?,
            key: get("KEY", Cause::PreDatasetKeyMissing)?,
        })
    }
}

fn missing(cause: Cause, name: &str) -> Failure {
    Failure::new(cause, format!("{name} is missing"))
}

/// Puts all inputs of a task into its folder.
///
/// # Errors
/// Everything that went wrong, with the official causes; inputs that went well stay.
pub(crate) async fn pre_compute(
    environment: &StageEnvironment,
    room: Room<'_>,
) -> Result<(), Vec<Failure>> {
    let alone = |failure| vec![failure];
    if environment.get("IEXEC_PRE_COMPUTE_OUT").is_none() {
        let cause = Cause::PreOutputPathMissing;
        return Err(alone(missing(cause, "IEXEC_PRE_COMPUTE_OUT")));
    }
    if !room.inputs.is_dir() {
        return Err(alone(Failure::plain(Cause::PreOutputFolderNotFound)));
    }
    let mut work = Work::new(room)?;
    work.datasets(environment).await;
    work.files(environment).await;
    work.ended()
}

/// A dataset that is here and still encrypted.
pub(crate) struct Download {
    /// What the names of its variables begin with.
    pub(crate) prefix: String,
    /// Where it is.
    pub(crate) file: PathBuf,
}

/// Fetches what a stage needs that another program does: datasets as they are, and input files to
/// where the app finds them. What a dataset's variables lack is for that program to tell.
///
/// # Errors
/// As [`pre_compute`].
pub(crate) async fn download(
    environment: &StageEnvironment,
    room: Room<'_>,
) -> Result<Vec<Download>, Vec<Failure>> {
    let mut work = Work::new(room)?;
    let mut downloads = Vec::new();
    for (number, prefix) in work.prefixes(environment).into_iter().enumerate() {
        let Some(url) = environment.get(&format!("{prefix}_URL")) else {
            continue;
        };
        let file = room.scratch.join(format!("{number}-{DOWNLOAD}"));
        match work.fetch(&prefix, url, &file).await {
            Ok(()) => downloads.push(Download { prefix, file }),
            Err(failure) => work.failures.push(failure),
        }
    }
    work.files(environment).await;
    work.ended().map(|()| downloads)
}

struct Work<'a> {
    room: Room<'a>,
    fetcher: Fetcher<'a>,
    bytes_left: u64,
    failures: Vec<Failure>,
}

impl<'a> Work<'a> {
    fn new(room: Room<'a>) -> Result<Self, Vec<Failure>> {
        let fetcher = Fetcher::new(room.policy, room.deadline);
        let unknown = |reason| vec![Failure::new(Cause::PreComputeUnknown, reason)];
        Ok(Self {
            fetcher: fetcher.map_err(unknown)?,
            bytes_left: room.bytes_max,
            room,
            failures: Vec::new(),
        })
    }

    fn ended(self) -> Result<(), Vec<Failure>> {
        match self.failures.is_empty() {
            true => Ok(()),
            false => Err(self.failures),
        }
    }

    /// What the names of each dataset's variables begin with.
    fn prefixes(&mut self, environment: &StageEnvironment) -> Vec<String> {
        let mut prefixes = Vec::new();
        match environment.get("IS_DATASET_REQUIRED") {
            Some("true") => prefixes.push("IEXEC_DATASET".to_owned()),
            Some("false") => {}
            _ => self.failures.push(missing(
                Cause::PreIsDatasetRequiredMissing,
                "IS_DATASET_REQUIRED",
            )),
        }
        let bulk = environment.get("IEXEC_BULK_SLICE_SIZE").unwrap_or("0");
        match bulk.parse() {
            Ok(size) if size <= DATASETS_MAX => {
                prefixes.extend((1..=size).map(|number| format!("IEXEC_DATASET_{number}")));
            }
            _ => {
                let reason = format!("a bulk has at most {DATASETS_MAX} datasets");
                self.failures
                    .push(Failure::new(Cause::PreComputeUnknown, reason));
            }
        }
        prefixes
    }

    async fn datasets(&mut self, environment: &StageEnvironment) {
        for prefix in self.prefixes(environment) {
            let done = match Dataset::of(environment, &prefix) {
                Ok(dataset) => self.dataset(&dataset).await,
                Err(failure) => Err(failure),
            };
            self.failures.extend(done.err());
        }
    }

    async fn dataset(&mut self, dataset: &Dataset<'_>) -> Result<(), Failure> {
        let encrypted = self.room.scratch.join(DOWNLOAD);
        let fetched = self.fetch(dataset.name, dataset.url, &encrypted).await;
        let done = fetched.and_then(|()| open(dataset, &encrypted, self.room.inputs));
        let _ = fs::remove_file(&encrypted);
        done
    }

    /// A dataset as it is, encrypted.
    async fn fetch(&mut self, name: &str, url: &str, to: &Path) -> Result<(), Failure> {
        let bytes_max = self.bytes_left.saturating_add(CIPHER_BYTES_MAX);
        let fetched = self.fetcher.fetch(url, to, bytes_max).await;
        let bytes = fetched.map_err(|reason| {
            let message = format!("{name} ({url}): {reason}");
            Failure::new(Cause::PreDatasetDownloadFailed, message)
        })?;
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        Ok(())
    }

    async fn files(&mut self, environment: &StageEnvironment) {
        let count = environment.get("IEXEC_INPUT_FILES_NUMBER");
        let count: Option<usize> = count.and_then(|count| count.parse().ok());
        let Some(count) = count.filter(|count| *count <= INPUT_FILES_MAX) else {
            let name = "IEXEC_INPUT_FILES_NUMBER";
            return self
                .failures
                .push(missing(Cause::PreInputFilesNumberMissing, name));
        };
        for number in 1..=count {
            let name = format!("IEXEC_INPUT_FILE_URL_{number}");
            let done = match environment.get(&name) {
                Some(url) => self.file(url).await,
                None => Err(missing(Cause::PreInputFileUrlMissing, &name)),
            };
            self.failures.extend(done.err());
        }
    }

    async fn file(&mut self, url: &str) -> Result<(), Failure> {
        let name = format!("{:#x}", digest::file(url.as_bytes()));
        let to = self.room.inputs.join(name);
        let fetched = self.fetcher.fetch(url, &to, self.bytes_left).await;
        let failed = |reason| {
            let _ = fs::remove_file(&to);
            Failure::new(
                Cause::PreInputFileDownloadFailed,
                format!("{url}: {reason}"),
            )
        };
        self.bytes_left -= fetched.map_err(failed)?.min(self.bytes_left);
        Ok(())
    }
}

/// Compares the checksum, and only then decrypts: the cipher notices no change by itself.
fn open(dataset: &Dataset<'_>, encrypted: &Path, folder: &Path) -> Result<(), Failure> {
    let named = |cause, reason: &str| Failure::new(cause, format!("{}: {reason}", dataset.name));
    let unreadable = |e: io::Error| named(Cause::PreDatasetDownloadFailed, &e.to_string());
    let mut file = BufReader::new(File::open(encrypted).map_err(unreadable)?);
    let found = digest::content(&mut file).map_err(unreadable)?;
    let expected: Option<B256> = dataset.checksum.parse().ok();
    if expected != Some(found) {
        let reason = format!(
            "its checksum is {found}, on chain it is {}",
            dataset.checksum
        );
        return Err(named(Cause::PreInvalidDatasetChecksum, &reason));
    }
    let key = Key::parse(dataset.key).ok_or_else(|| {
        let reason = "its key is not base64 of 32 bytes";
        named(Cause::PreDatasetDecryptionFailed, reason)
    })?;
    if !is_plain(dataset.name) {
        let reason = "its name is no file name";
        return Err(named(Cause::PreSavingPlainDatasetFailed, reason));
    }
    let file = BufReader::new(File::open(encrypted).map_err(unreadable)?);
    save(&key, file, &folder.join(dataset.name)).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => {
            named(Cause::PreDatasetDecryptionFailed, "the key is not its own")
        }
        _ => named(Cause::PreSavingPlainDatasetFailed, &error.to_string()),
    })
}

fn is_plain(name: &str) -> bool {
    let special = matches!(name, "" | "." | "..");
    !special && name.len() <= NAME_BYTES_MAX && !name.contains(['/', '\0'])
}

/// Never over something that is there, and nothing stays of what cannot be decrypted. An app with a
/// user of its own reads the file: what keeps others away is the closed folder around all of them.
fn save(key: &Key, mut from: impl io::Read, to: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(to)?;
    let mut file = BufWriter::new(file);
    let saved = cipher::decrypt(key, &mut from, &mut file).and_then(|()| file.flush());
    if saved.is_err() {
        let _ = fs::remove_file(to);
    }
    saved
}

#[cfg(test)]
mod tests;
