//! What an operator asks of a running service, over a socket in its own directory.
//!
//! Not over HTTP: a route can be reached by a browser on the same machine or through a proxy that
//! was set up carelessly, and needs a token that has to be kept. A socket of a file's mode 0600 is
//! reached by our own user (and root) only, who can read the service's memory anyway; the kernel
//! says who it is.
//!
//! A question is a line of JSON; the answer is a line of JSON and, for a backup, its bytes.

use std::{
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    BackupPublic, Error, Phrase, Service,
    audit::{Decision, Entry},
    vault::Vault,
};

/// The socket, in the service's directory.
pub const SOCKET_FILE: &str = "admin.sock";
/// Bytes of a question: a passphrase and some words.
const QUESTION_BYTES_MAX: u64 = 64 * 1024;
/// How long a question may take to arrive: it comes from a program on the same machine.
const QUESTION_WAIT_S: u64 = 10;
/// How long an answer may take to be read: who does not read keeps the others waiting.
const ANSWER_WAIT_S: u64 = 60;
/// Before another try to accept: the system lacks something, e.g. file descriptors.
const ACCEPT_PAUSE_S: u64 = 1;
const ROOT_USER: u32 = 0;

/// What can be asked. It is not printed: it may hold a passphrase.
#[derive(Serialize, Deserialize, Zeroize)]
#[serde(rename_all = "kebab-case", tag = "ask", deny_unknown_fields)]
pub enum Question {
    /// Whether it is sealed, and the end of its audit log.
    Status,
    /// Open the store.
    Unseal {
        /// The passphrase.
        passphrase: String,
    },
    /// Put everything under a new key.
    RotateKey {
        /// The passphrase, unless the service's settings have it or need none.
        #[serde(default)]
        passphrase: Option<String>,
    },
    /// A backup of now.
    Backup {
        /// The public key to encrypt it to.
        to: String,
    },
}

/// Asks the service whose directory is `data_dir`; the bytes are a backup's.
///
/// # Errors
/// When no service listens there; the inner result is the service's own refusal.
pub async fn ask(
    data_dir: &Path,
    mut question: Question,
) -> io::Result<Result<(Json, Vec<u8>), String>> {
    let mut stream = UnixStream::connect(data_dir.join(SOCKET_FILE)).await?;
    let line = serde_json::to_vec(&question).map(Zeroizing::new)?;
    question.zeroize();
    stream.write_all(&line).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let bytes = answer.split_off(end + 1);
    let told: Json = serde_json::from_slice(&answer)?;
    Ok(match told["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok((told, bytes)),
    })
}

/// The listening socket; its file goes with it.
pub struct Admin {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl Admin {
    /// Listens in `data_dir`. Whoever calls this has the directory to itself: a socket that is
    /// there is one of a service that was killed.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn bind(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join(SOCKET_FILE);
        let listener = private_socket(data_dir, &path)?;
        let owner = std::fs::metadata(&path)
            .map_err(Error::disk("read", &path))?
            .uid();
        Ok(Self {
            listener,
            path,
            owner,
        })
    }

    /// Answers until `shutdown`, one question after the other.
    pub async fn run(self, service: Service, shutdown: CancellationToken) {
        let serve = async {
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        if let Err(error) = self.serve(stream, &service).await {
                            tracing::warn!(%error, "an operator was not answered");
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "operators cannot be answered now");
                        tokio::time::sleep(Duration::from_secs(ACCEPT_PAUSE_S)).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(serve).await;
    }

    async fn serve(&self, mut stream: UnixStream, service: &Service) -> io::Result<()> {
        let user = stream.peer_cred()?.uid();
        if user != self.owner && user != ROOT_USER {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        // Room for all of it at once: a vector that grows leaves what it had unwiped.
        let mut line = Zeroizing::new(Vec::with_capacity(QUESTION_BYTES_MAX as usize + 1));
        let wait = Duration::from_secs(QUESTION_WAIT_S);
        let mut question = (&mut stream).take(QUESTION_BYTES_MAX);
        let read = question.read_to_end(&mut line);
        tokio::time::timeout(wait, read).await??;
        let (told, bytes) = match serde_json::from_slice(&line) {
            Ok(question) => match answer(service, question).await {
                Ok(told) => told,
                Err(error) => (json!({ "error": text(&error) }), Vec::new()),
            },
            Err(_) => (
                json!({ "error": "the question is not understood" }),
                Vec::new(),
            ),
        };
        let told = async {
            stream.write_all(format!("{told}\n").as_bytes()).await?;
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        };
        tokio::time::timeout(Duration::from_secs(ANSWER_WAIT_S), told).await?
    }
}

/// A socket that was never anybody else's: it is made in a folder of ours, and moved to its place
/// when its mode is right, over one that is there. Names of sockets have to be short.
fn private_socket(data_dir: &Path, path: &Path) -> Result<UnixListener, Error> {
    let folder = data_dir.join(".sock");
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::disk("remove", &folder)(error));
        }
        _ => {}
    }
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(Error::disk("create", &folder))?;
    let socket = folder.join("s");
    let listener = UnixListener::bind(&socket).map_err(Error::disk("listen on", &socket))?;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&socket, private).map_err(Error::disk("protect", &socket))?;
    std::fs::rename(&socket, path).map_err(Error::disk("make", path))?;
    std::fs::remove_dir(&folder).map_err(Error::disk("remove", &folder))?;
    Ok(listener)
}

impl Drop for Admin {
    fn drop(&mut self) {
        // It may be gone with its directory.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(service: &Service, question: Question) -> Result<(Json, Vec<u8>), Error> {
    let vault = service.vault();
    match question {
        Question::Status => {}
        Question::Unseal { passphrase } => unseal(service, vault, passphrase).await?,
        Question::RotateKey { passphrase } => {
            let phrase = passphrase.and_then(Phrase::new);
            let done = service.rotate(phrase.as_ref()).await?;
            return Ok((json!(done), Vec::new()));
        }
        Question::Backup { to } => {
            let to = BackupPublic::parse(&to);
            let to = to.ok_or(Error::Backup(
                "the public key has not 64 hexadecimal digits",
            ))?;
            let backup = vault.backup(&to).await?;
            return Ok((json!({ "bytes": backup.len() }), backup));
        }
    }
    let head = vault.audit_head().to_string();
    let told = json!({ "sealed": service.is_sealed(), "auditHead": head });
    Ok((told, Vec::new()))
}

async fn unseal(service: &Service, vault: &Vault, passphrase: String) -> Result<(), Error> {
    let phrase = Phrase::new(passphrase).ok_or(Error::Sealed)?;
    let unsealed = service.unseal(&phrase).await;
    let decision = match unsealed {
        Ok(()) => Decision::Allowed,
        Err(_) => Decision::Refused,
    };
    vault
        .audit(Entry::new("operator", "store.unseal", decision))
        .await?;
    unsealed
}

/// The error and its causes.
fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keys, testing::Scene};

    async fn told(scene: &Scene, question: Question) -> Result<Json, String> {
        let answer = ask(&scene.data_dir(), question).await.unwrap();
        answer.map(|(told, _)| told)
    }

    #[tokio::test]
    async fn a_socket_that_a_killed_service_left_is_replaced() {
        let scene = Scene::new().await;
        let socket = scene.data_dir().join(SOCKET_FILE);
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        std::fs::create_dir(scene.data_dir().join(".sock")).unwrap();
        let admin = Admin::bind(&scene.data_dir()).unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(admin.run(scene.service.clone(), shutdown.clone()));
        let answer = told(&scene, Question::Status).await.unwrap();
        assert_eq!(answer["sealed"], false);
        shutdown.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_question_that_does_not_end_is_not_kept() {
        let scene = Scene::new().await;
        let admin = Admin::bind(&scene.data_dir()).unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(admin.run(scene.service.clone(), shutdown.clone()));
        let socket = scene.data_dir().join(SOCKET_FILE);
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        let long = vec![b' '; QUESTION_BYTES_MAX as usize];
        stream.write_all(&long).await.unwrap();
        // It is not closed, and answered all the same.
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("not understood"), "{answer}");
        shutdown.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn an_operator_unseals_rotates_and_backs_up() {
        let scene = Scene::with_keys(Keys::Passphrase { file: None }).await;
        let admin = Admin::bind(&scene.data_dir()).unwrap();
        let socket = scene.data_dir().join(SOCKET_FILE);
        let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(admin.run(scene.service.clone(), shutdown.clone()));
        assert_eq!(
            told(&scene, Question::Status).await.unwrap()["sealed"],
            true
        );
        let unseal = |text: &str| Question::Unseal {
            passphrase: text.into(),
        };
        assert!(told(&scene, unseal("short")).await.is_err());
        let open = told(&scene, unseal("correct horse battery")).await.unwrap();
        assert_eq!(open["sealed"], false);
        assert!(told(&scene, unseal("correct horse batterz")).await.is_err());
        let rotate = |text: Option<&str>| Question::RotateKey {
            passphrase: text.map(str::to_owned),
        };
        assert!(told(&scene, rotate(None)).await.is_err());
        let rotated = told(&scene, rotate(Some("correct horse battery"))).await;
        assert_eq!(rotated.unwrap()["key"], 2);
        let to = crate::BackupSecret::random().public().unwrap().to_string();
        let answer = ask(&scene.data_dir(), Question::Backup { to })
            .await
            .unwrap();
        let (told, bytes) = answer.unwrap();
        assert_eq!(told["bytes"], bytes.len());
        assert!(bytes.starts_with(b"iexec-sms-backup/1\n"));
        shutdown.cancel();
        running.await.unwrap();
        assert!(!socket.exists());
    }
}
