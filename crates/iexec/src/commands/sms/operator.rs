//! What an operator does with a secret manager's store: commands to a running service go over the
//! socket in its data directory, the others open the store themselves.

use std::{
    fs,
    path::{Path, PathBuf},
};

use secrets::{
    BackupPublic, BackupSecret, Phrase,
    admin::{self, Question},
    audit,
};
use serde_json::{Value, json};

use super::{STANDARD, Settings};
use crate::{
    commands::role::{private, read},
    context::{self, Context, create_private_dir, write_secret},
    env_vars,
    outcome::{Failure, Report},
    paths, prompt,
};

/// Where the store is.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreOptions {
    /// The service's settings file
    #[arg(long, value_name = "file")]
    config: Option<PathBuf>,
    /// The service's data directory
    #[arg(long, value_name = "dir")]
    data: Option<PathBuf>,
}

impl StoreOptions {
    fn config(&self) -> Result<secrets::Config, Failure> {
        let settings: Settings = read(self.config.as_deref())?;
        let data = self.data.clone().or_else(|| settings.data.clone());
        let dir = paths::role_dir(STANDARD.role, data.as_deref());
        Ok(settings.config(&dir))
    }

    /// Of a running service.
    async fn ask(&self, question: Question) -> Result<(Value, Vec<u8>), Failure> {
        let dir = self.config()?.data_dir;
        let answer = admin::ask(&dir, question).await.map_err(|error| {
            Failure::new(format!("no service answers in {}: {error}", dir.display()))
                .named("NetworkError")
                .hint("name the data directory of the running service with --data or --config")
        })?;
        answer.map_err(Failure::new)
    }

    /// The store itself, which no service may have open. The file keeps others away.
    fn take(&self) -> Result<(secrets::Config, fs::File), Failure> {
        let config = self.config()?;
        let dir = &config.data_dir;
        create_private_dir(dir).map_err(|error| unusable(dir, &error))?;
        let lock = network::lock(dir).map_err(|error| Failure::with_sources(&error))?;
        Ok((config, lock))
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("cannot use {}: {error}", path.display()))
}

fn told(error: secrets::Error) -> Failure {
    Failure::with_sources(&error)
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(message).named("ValidationError")
}

/// Where a passphrase comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct PhraseOptions {
    /// File with the passphrase, readable for its owner only (or set IEXEC_SMS_PASSPHRASE)
    #[arg(long, value_name = "file")]
    passphrase_file: Option<PathBuf>,
}

impl PhraseOptions {
    fn given(&self) -> Result<Option<Phrase>, Failure> {
        match &self.passphrase_file {
            Some(file) => Ok(Phrase::new(private(file)?)),
            None => Ok(phrase_of_environment()),
        }
    }

    fn asked(&self) -> Result<Phrase, Failure> {
        let typed = || prompt::secret("the passphrase of the store", "--passphrase-file");
        let phrase = match self.given()? {
            Some(phrase) => Some(phrase),
            None => Phrase::new(typed()?),
        };
        phrase.ok_or_else(|| invalid("the passphrase is empty"))
    }
}

/// For services that nobody is there to unseal.
pub(crate) fn phrase_of_environment() -> Option<Phrase> {
    env_vars::get(env_vars::SMS_PASSPHRASE).and_then(Phrase::new)
}

/// Options of `iexec sms unseal`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The first passphrase of an empty store is the one to keep.\n\nExamples:\n  \
    iexec sms unseal\n  iexec sms unseal --data /var/lib/iexec/sms --passphrase-file phrase"
)]
pub(crate) struct UnsealArgs {
    #[command(flatten)]
    store: StoreOptions,
    #[command(flatten)]
    phrase: PhraseOptions,
}

impl UnsealArgs {
    pub(crate) async fn run(&self) -> Result<Report, Failure> {
        let passphrase = self.phrase.asked()?.into_text();
        let (raw, _) = self.store.ask(Question::Unseal { passphrase }).await?;
        Ok(Report::new(raw, "The store is open"))
    }
}

/// Options of `iexec sms rotate-key`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The service goes on meanwhile. After a crash, run it again: it goes on where it \
    was.\n\nExample:\n  iexec sms rotate-key --passphrase-file phrase"
)]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    store: StoreOptions,
    #[command(flatten)]
    phrase: PhraseOptions,
}

impl RotateArgs {
    pub(crate) async fn run(&self) -> Result<Report, Failure> {
        let passphrase = self.phrase.given()?.map(Phrase::into_text);
        let (raw, _) = self.store.ask(Question::RotateKey { passphrase }).await?;
        let message = format!(
            "{} secrets are under key {} now; {} do not open and were left",
            raw["rewrapped"], raw["key"], raw["damaged"]
        );
        Ok(Report::new(raw, message))
    }
}

/// Options of `iexec sms backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The backup has all that is needed but the private key: keep that elsewhere.\n\n\
    Examples:\n  iexec sms backup-key --out backup.key\n  \
    iexec sms backup --to 5af1… /mnt/backups/sms-today"
)]
pub(crate) struct BackupArgs {
    /// Public key to encrypt it to, as `iexec sms backup-key` tells it
    #[arg(long, value_name = "key")]
    to: String,
    /// File to write
    file: PathBuf,
    #[command(flatten)]
    store: StoreOptions,
}

impl BackupArgs {
    pub(crate) async fn run(&self, context: &Context) -> Result<Report, Failure> {
        let wrong = || invalid("a public key has 64 hexadecimal digits");
        let to = BackupPublic::parse(&self.to).ok_or_else(wrong)?.to_string();
        let (_, bytes) = self.store.ask(Question::Backup { to }).await?;
        let path = context.project.join(&self.file);
        context::write(&path, &bytes)?;
        let file = fs::File::open(&path).and_then(|file| file.sync_all());
        file.map_err(|error| unusable(&path, &error))?;
        let raw = json!({ "file": path, "bytes": bytes.len() });
        let message = format!("Backup written to {}", path.display());
        Ok(Report::new(raw, message))
    }
}

/// Options of `iexec sms backup-key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec sms backup-key --out backup.key")]
pub(crate) struct BackupKeyArgs {
    /// File for the private key: keep it away from the service
    #[arg(long, value_name = "file")]
    out: PathBuf,
}

impl BackupKeyArgs {
    pub(crate) fn run(&self, context: &Context) -> Result<Report, Failure> {
        let path = context.project.join(&self.out);
        if path.exists() {
            return Err(invalid(format!("{} exists already", path.display()))
                .hint("backups that were made for it need it; choose another name"));
        }
        let secret = BackupSecret::random();
        let public = secret.public().map_err(told)?.to_string();
        write_secret(&path, &secret.expose())?;
        let raw = json!({ "file": path, "publicKey": public });
        Ok(
            Report::new(raw, format!("Private key written to {}", path.display()))
                .with_data(&json!({ "publicKey": public })),
        )
    }
}

/// Options of `iexec sms restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "All of it is checked before anything is written.\n\nExample:\n  \
    iexec sms restore --key backup.key /mnt/backups/sms-today --data /var/lib/iexec/sms"
)]
pub(crate) struct RestoreArgs {
    /// File with the private key
    #[arg(long, value_name = "file")]
    key: PathBuf,
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    store: StoreOptions,
    #[command(flatten)]
    phrase: PhraseOptions,
}

impl RestoreArgs {
    pub(crate) async fn run(&self, context: &Context) -> Result<Report, Failure> {
        let key = private(&context.project.join(&self.key))?;
        let key = BackupSecret::parse(&key);
        let key = key.ok_or_else(|| invalid("a private key has 64 hexadecimal digits"))?;
        let path = context.project.join(&self.file);
        let backup = fs::read(&path).map_err(|error| unusable(&path, &error))?;
        let (config, _lock) = self.store.take()?;
        let phrase = self.phrase.given()?;
        let restored = config.restore(&key, phrase.as_ref(), &backup).await;
        let manifest = restored.map_err(told)?;
        let rows: u64 = manifest.tables.values().map(|table| table.rows).sum();
        let message = format!("{rows} rows restored");
        Ok(Report::new(json!({ "manifest": manifest }), message))
    }
}

/// `iexec sms audit …`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that no line of the log was changed or removed
    Verify(VerifyArgs),
}

/// Options of `iexec sms audit verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A cut at the end shows only against a head that was kept elsewhere: /metrics \
    tells it.\n\nExamples:\n  iexec sms audit verify\n  iexec sms audit verify --head 812:9f3c…"
)]
pub(crate) struct VerifyArgs {
    /// A head that the log is known to have had
    #[arg(long, value_name = "entries:hash")]
    head: Option<audit::Head>,
    #[command(flatten)]
    store: StoreOptions,
}

impl VerifyArgs {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let log = self.store.config()?.audit_log();
        let head = audit::verify(&log, self.head).map_err(told)?;
        let raw = json!({ "entries": head.entries, "head": head.to_string() });
        let message = format!("The log is whole: {} entries", head.entries);
        Ok(Report::new(raw.clone(), message).with_data(&raw))
    }
}

/// Options of `iexec sms import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is here already stays. Keys of running tasks are not taken over: let the \
    official service end them.\n\nExample:\n  iexec sms import --key backup.sql.key backup.sql"
)]
pub(crate) struct ImportArgs {
    /// The official service's key file
    #[arg(long, value_name = "file")]
    key: PathBuf,
    /// Its dump
    file: PathBuf,
    #[command(flatten)]
    store: StoreOptions,
    #[command(flatten)]
    phrase: PhraseOptions,
}

impl ImportArgs {
    pub(crate) async fn run(&self, context: &Context) -> Result<Report, Failure> {
        let text = |path: &Path| {
            let path = context.project.join(path);
            fs::read_to_string(&path).map_err(|error| unusable(&path, &error))
        };
        let (dump, key) = (text(&self.file)?, text(&self.key)?);
        let (config, _lock) = self.store.take()?;
        let phrase = self.phrase.given()?;
        let done = config
            .import(phrase.as_ref(), &dump, &key)
            .await
            .map_err(told)?;
        let message = format!(
            "{} secrets taken over, {} were here already, {} other rows skipped",
            done.stored, done.kept, done.skipped
        );
        Ok(Report::new(json!(done), message))
    }
}
