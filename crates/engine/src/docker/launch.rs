//! Containers whose program gets variables that the daemon must not know.
//!
//! The daemon shows what a container is made of to everybody who asks and writes it to its disk. So
//! such a container starts with our launcher (`launcher/main.rs`) instead of its program: it reads
//! the variables from its standard input, which nobody keeps, and becomes the program.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use bollard::models::ImageConfig;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::meter::Seen;
use super::{Docker, loopback, pull};
use crate::platform::Platform;
use crate::{Bind, Digest, Error, RunSpec, secret};

/// Compiled by our build script; empty where that was not possible.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/launcher"));
/// Where it is in a container. Nobody's image has it, and one that has cannot use its own.
pub(super) const TARGET: &str = "/.iexec-launcher";
/// For any user of any image, and for none to change.
const MODE: u32 = 0o555;
/// Random bytes of a [`Mark`].
const MARK_BYTES: usize = 16;
/// Begins a mark: a program that writes it first of all is rare, so nobody's first words wait.
const MARK_PREFIX: &str = "\u{1}";
/// What a launcher ends with when it never got its variables.
const NO_INPUT: &str = "125 ";
/// More than the launcher says: the name of a program is one argument of a command line.
const COMPLAINT_BYTES_MAX: usize = 64 * 1024;

/// What tells the launcher's complaint from the program's output. The program never learns it, so
/// that it cannot pretend never to have started.
#[derive(Debug, Clone)]
pub(super) struct Mark(String);

impl Mark {
    fn new() -> io::Result<Self> {
        let mut bytes = [0; MARK_BYTES];
        fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(format!("{MARK_PREFIX}{} ", hex::encode(bytes))))
    }

    /// That of a container that another process has made.
    pub(super) fn of(entrypoint: &[String]) -> Option<Self> {
        match entrypoint {
            [program, mark, ..] if program == TARGET => Some(Self(mark.clone())),
            _ => None,
        }
    }
}

/// What a container with secrets is made with.
#[derive(Debug)]
pub(super) struct Launch {
    /// The launcher and its mark.
    pub(super) entrypoint: Vec<String>,
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    pub(super) bind: Bind,
    pub(super) mark: Mark,
}

impl Launch {
    /// None where there are no secrets, and so nothing is different.
    pub(super) async fn prepare(docker: &Docker, spec: &RunSpec) -> Result<Option<Self>, Error> {
        if spec.secrets.is_empty() {
            return Ok(None);
        }
        let id = spec.image.id.to_string();
        let Some(image) = pull::inspect(&docker.api, &id).await? else {
            return Err(Error::NotFound { image: id });
        };
        let program = install(docker)?;
        let mark = Mark::new().map_err(Error::io("read", Path::new("/dev/urandom")))?;
        Ok(Some(Self {
            entrypoint: vec![TARGET.to_owned(), mark.0.clone()],
            command: command(spec, image.config.unwrap_or_default())?,
            bind: Bind::read_only(program, TARGET),
            mark,
        }))
    }
}

fn command(spec: &RunSpec, image: ImageConfig) -> Result<Vec<String>, Error> {
    let mut command = image.entrypoint.unwrap_or_default();
    command.extend(match spec.args.is_empty() {
        true => image.cmd.unwrap_or_default(),
        false => spec.args.clone(),
    });
    match command.is_empty() {
        false => Ok(command),
        true => Err(Error::CannotStart {
            name: spec.name.clone(),
            reason: "the image has no command".to_owned(),
        }),
    }
}

/// The launcher as a file, named by its content and never changed.
fn install(docker: &Docker) -> Result<PathBuf, Error> {
    let cannot = |reason: &str| {
        let reason = format!("no container can get secrets: {reason}");
        Err(Error::Unavailable { reason })
    };
    let Some(dir) = &docker.root_dir else {
        return cannot("the engine has no folder of its own");
    };
    if PROGRAM.is_empty() {
        return cannot("this program was built without a static C library");
    }
    if docker.daemon.platform != Platform::host() {
        return cannot("the daemon's machine is of another kind");
    }
    let name = format!("launcher-{}", Digest::of(PROGRAM).hex());
    let dir = std::path::absolute(dir).map_err(Error::io("find", dir))?;
    let path = dir.join(name);
    write(&dir, &path).map_err(Error::io("write", &path))?;
    Ok(path)
}

/// Looked at each time: folders are cleaned, and not every start is worth a thought of its own.
fn write(dir: &Path, path: &Path) -> io::Result<()> {
    static PARTS: AtomicU64 = AtomicU64::new(0);
    if fs::read(path).is_ok_and(|found| found == PROGRAM) {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    let number = PARTS.fetch_add(1, Ordering::Relaxed);
    let part = dir.join(format!("launcher-part-{}-{number}", process::id()));
    let written = fs::File::create(&part).and_then(|mut file| {
        file.write_all(PROGRAM)?;
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&part, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&part);
    }
    renamed
}

/// Where a launcher waits for what its program needs.
pub(super) struct Gate<'a> {
    spec: &'a RunSpec,
    input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl<'a> Gate<'a> {
    /// None where there are no secrets, and so no launcher.
    pub(super) fn new(spec: &'a RunSpec, input: Pin<Box<dyn AsyncWrite + Send>>) -> Option<Self> {
        (!spec.secrets.is_empty()).then_some(Self { spec, input })
    }

    /// Serves the loopback, then sends the variables, with which the program starts. Keeps the
    /// input open, and returns only when there is no way to serve.
    pub(super) async fn open(mut self, seen: &Seen) -> Error {
        if let Some(loopback) = &self.spec.loopback {
            // One that has ended needs nothing any more, and how is seen elsewhere.
            let Some(pid) = seen.pid() else {
                return std::future::pending().await;
            };
            if let Err(error) = loopback::serve(loopback, pid, seen.id()).await {
                return loopback.refusal(&self.spec.name, &error);
            }
        }
        let line = secret::line(&self.spec.secrets);
        // So has one that does not read.
        let _ = self.input.write_all(&line).await;
        let _ = self.input.flush().await;
        drop(line);
        std::future::pending().await
    }
}

/// Keeps what the launcher says out of a container's output.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    mark: Option<Mark>,
    held: Vec<u8>,
    is_open: bool,
}

impl Sieve {
    pub(super) fn new(mark: Option<Mark>) -> Self {
        let is_open = mark.is_none();
        Self {
            mark,
            held: Vec::new(),
            is_open,
        }
    }

    /// What of the error output goes on; `deliver` is not called while it is not known.
    pub(super) fn push(&mut self, bytes: &[u8], deliver: impl FnOnce(&[u8])) {
        if self.is_open {
            return deliver(bytes);
        }
        self.held.extend(bytes);
        let mark = self.mark.as_ref().map(|mark| mark.0.as_bytes());
        let mark = mark.unwrap_or_default();
        let length = mark.len().min(self.held.len());
        if self.held[..length] == mark[..length] {
            self.held.truncate(COMPLAINT_BYTES_MAX);
        } else {
            self.is_open = true;
            deliver(&self.held);
            self.held.clear();
        }
    }

    /// At the end: the launcher's complaint, if that was what came; else what was held goes on.
    pub(super) fn finish(self, deliver: impl FnOnce(&[u8])) -> Option<Complaint> {
        let mark = self.mark?;
        match self.held.strip_prefix(mark.0.as_bytes()) {
            Some(said) => Some(Complaint(String::from_utf8_lossy(said).trim().to_owned())),
            None => {
                if !self.held.is_empty() {
                    deliver(&self.held);
                }
                None
            }
        }
    }
}

/// Why a launcher did not become the program: a code and a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint(String);

impl Complaint {
    /// Whether it is about what should have been sent, not about the program.
    pub(super) fn is_about_input(&self) -> bool {
        self.0.starts_with(NO_INPUT)
    }

    pub(super) fn error(&self, name: &str) -> Error {
        let (_, reason) = self.0.split_once(' ').unwrap_or_default();
        let (name, reason) = (name.to_owned(), reason.to_owned());
        match self.is_about_input() {
            true => Error::RuntimeFailed { name, reason },
            false => Error::CannotStart { name, reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is delivered, and what is kept, of these pieces.
    fn sift(mark: Option<&Mark>, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Complaint>) {
        let (mut sieve, mut delivered) = (Sieve::new(mark.cloned()), Vec::new());
        for piece in pieces {
            sieve.push(piece, |bytes| delivered.push(bytes.to_vec()));
        }
        let complaint = sieve.finish(|bytes| delivered.push(bytes.to_vec()));
        (delivered, complaint)
    }

    #[test]
    fn a_complaint_is_kept_however_it_comes() {
        let mark = Mark::new().unwrap();
        let said = format!("{}127 exec: no such program\n", mark.0);
        let expected = Complaint("127 exec: no such program".to_owned());
        for cut in 0..said.len() {
            let (head, tail) = said.as_bytes().split_at(cut);
            let sifted = sift(Some(&mark), &[head, tail]);
            assert_eq!(sifted, (vec![], Some(expected.clone())));
        }
    }

    #[test]
    fn what_a_program_says_goes_on_at_once() {
        let mark = Mark::new().unwrap();
        for said in ["a", "\u{1}x", "a\u{1}"] {
            let mut sieve = Sieve::new(Some(mark.clone()));
            let mut delivered = Vec::new();
            sieve.push(said.as_bytes(), |bytes| delivered = bytes.to_vec());
            assert_eq!(delivered, said.as_bytes());
        }
        let begun = &mark.0.as_bytes()[..9];
        let expected = (vec![begun.to_vec()], None);
        assert_eq!(sift(Some(&mark), &[begun]), expected);
        assert_eq!(sift(None, &[begun]), expected);
    }

    #[test]
    fn of_what_a_program_says_at_once_nothing_is_lost() {
        let mark = Mark::new().unwrap();
        let long = vec![b'a'; COMPLAINT_BYTES_MAX + 1];
        let sifted = sift(Some(&mark), &[&long, b"b"]);
        assert!(sifted == (vec![long, b"b".to_vec()], None));
        let begun = [&mark.0.as_bytes()[..9], &vec![b'x'; COMPLAINT_BYTES_MAX]].concat();
        let (head, tail) = begun.split_at(5);
        let sifted = sift(Some(&mark), &[head, tail]);
        assert!(sifted == (vec![begun], None));
    }

    #[test]
    fn a_long_complaint_is_cut() {
        let mark = Mark::new().unwrap();
        let said = format!("{}125 {}", mark.0, "x".repeat(2 * COMPLAINT_BYTES_MAX));
        let (delivered, complaint) = sift(Some(&mark), &[said.as_bytes()]);
        assert_eq!(delivered, Vec::<Vec<u8>>::new());
        let left = COMPLAINT_BYTES_MAX - mark.0.len();
        assert_eq!(complaint.unwrap().0.len(), left);
    }

    #[test]
    fn a_program_that_cannot_start_is_told_from_variables_that_did_not_come() {
        let error = Complaint("127 exec: \"x\": not found".to_owned()).error("a");
        assert_eq!(
            error.to_string(),
            "container `a` cannot start: exec: \"x\": not found"
        );
        let complaint = Complaint("125 the input ended".to_owned());
        let error = complaint.error("a");
        assert!(matches!(error, Error::RuntimeFailed { .. }), "{error}");
    }

    #[test]
    fn the_launcher_is_written_once_and_again_when_it_was_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/launcher");
        let dir = path.parent().unwrap();
        write(dir, &path).unwrap();
        let first = fs::metadata(&path).unwrap().modified().unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, MODE);
        write(dir, &path).unwrap();
        let second = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(first, second);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "evil").unwrap();
        write(dir, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), PROGRAM);
        assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
    }
}
