//! Starts a container's program with variables that only it sees.
//!
//! `launcher MARK PROGRAM ARGUMENT…` reads variables from its standard input, gives the program
//! `/dev/null` instead and becomes the program. When it cannot, it says so in one line that begins
//! with the mark, which the program never learns, and ends with a code of the shells' convention.
//! It is compiled alone, for any image: static, with nothing but the standard library.

mod input;

use std::env;
use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_short, c_ulong};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::exit;
use std::ptr;

/// Nothing was started because of us, or of who should have sent the variables.
const OURS: i32 = 125;
/// The program is there and cannot be executed.
const NOT_EXECUTABLE: i32 = 126;
/// There is no such program.
const NOT_FOUND: i32 = 127;

/// A sender that lives does not pause for so long. Without it, a container whose sender has died
/// would wait for ever with a daemon that does not pass the end on.
const PATIENCE_MS: c_int = 60_000;

const STDIN: c_int = 0;
const POLLIN: c_short = 1;
const SIGPIPE: c_int = 13;
const SIG_DFL: usize = 0;

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

unsafe extern "C" {
    fn dup2(from: c_int, to: c_int) -> c_int;
    fn execve(path: *const c_char, args: *const *const c_char, env: *const *const c_char) -> c_int;
    fn poll(fds: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
}

/// The code to end with, and what to say.
type Failure = (i32, String);

fn main() {
    let mut args = env::args_os().skip(1);
    let mark = args.next().unwrap_or_default();
    let (code, reason) = launch(&args.collect::<Vec<_>>());
    let mut line = mark.into_vec();
    line.extend(format!("{code} {reason}\n").into_bytes());
    let _ = io::stderr().write_all(&line);
    exit(code);
}

/// Returns only when it fails.
fn launch(command: &[OsString]) -> Failure {
    let read = input::read(Patient).and_then(|secrets| silence().map(|()| secrets));
    let strings = read.and_then(|secrets| {
        let args = command.iter().map(|arg| arg.as_bytes().to_vec());
        Ok((strings(args)?, strings(environment(&secrets))?))
    });
    match (strings, command.first()) {
        (Ok((args, env)), Some(program)) => execute(program, &args, &env),
        (Ok(_), None) => (OURS, "no program".to_owned()),
        (Err(error), _) => (OURS, error.to_string()),
    }
}

/// Standard input, read by someone who does not wait for ever.
struct Patient;

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut fds = PollFd {
            fd: STDIN,
            events: POLLIN,
            revents: 0,
        };
        // SAFETY: one element, which outlives the call.
        match unsafe { poll(&mut fds, 1, PATIENCE_MS) } {
            -1 => Err(io::Error::last_os_error()),
            0 => Err(io::Error::new(
                ErrorKind::TimedOut,
                "the variables do not come",
            )),
            _ => {
                // SAFETY: open since the start, and not closed by us.
                let mut stdin = ManuallyDrop::new(unsafe { File::from_raw_fd(STDIN) });
                stdin.read(buffer)
            }
        }
    }
}

/// What was on the standard input is for nobody else; and the program shall find there what it
/// finds without variables.
fn silence() -> io::Result<()> {
    let nothing = OpenOptions::new().read(true).open("/dev/null")?;
    // SAFETY: both are open descriptors.
    match unsafe { dup2(nothing.as_raw_fd(), STDIN) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Ours, replaced and followed by the secret ones.
fn environment(secrets: &[(String, String)]) -> Vec<Vec<u8>> {
    let is_replaced = |name: &OsStr| secrets.iter().any(|(secret, _)| OsStr::new(secret) == name);
    let ours = env::vars_os().filter(|(name, _)| !is_replaced(name));
    let line = |name: &[u8], value: &[u8]| [name, b"=", value].concat();
    let ours = ours.map(|(name, value)| line(name.as_bytes(), value.as_bytes()));
    let secret = |(name, value): &(String, String)| line(name.as_bytes(), value.as_bytes());
    ours.chain(secrets.iter().map(secret)).collect()
}

fn strings(texts: impl IntoIterator<Item = Vec<u8>>) -> io::Result<Vec<CString>> {
    Ok(texts
        .into_iter()
        .map(CString::new)
        .collect::<Result<_, _>>()?)
}

/// Becomes the first of these programs that can be executed, as runtimes of containers look for it:
/// in the folders of `PATH`, unless it is a path itself.
fn execute(program: &OsStr, args: &[CString], env: &[CString]) -> Failure {
    let (program, mut is_denied) = (program.as_bytes(), false);
    let said = |what: &str| format!("exec: {:?}: {what}", String::from_utf8_lossy(program));
    for path in candidates(program) {
        let error = become_program(path, args, env);
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {}
            ErrorKind::PermissionDenied => is_denied = true,
            _ => return (NOT_EXECUTABLE, said(&error.to_string())),
        }
    }
    match (is_denied, program.contains(&b'/')) {
        (true, _) => (NOT_EXECUTABLE, said("permission denied")),
        (false, true) => (NOT_FOUND, said("no such file or directory")),
        (false, false) => (NOT_FOUND, said("executable file not found in $PATH")),
    }
}

fn candidates(program: &[u8]) -> Vec<Vec<u8>> {
    if program.contains(&b'/') {
        return vec![program.to_vec()];
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let in_dir = |dir: &[u8]| match dir {
        b"" => [b"./", program].concat(),
        dir => [dir, b"/", program].concat(),
    };
    path.as_bytes()
        .split(|byte| *byte == b':')
        .map(in_dir)
        .collect()
}

/// Returns only when it fails. Not the library's way, which gives what is no program to a shell.
fn become_program(path: Vec<u8>, args: &[CString], env: &[CString]) -> io::Error {
    let path = match CString::new(path) {
        Ok(path) => path,
        Err(error) => return error.into(),
    };
    let list = |texts: &[CString]| {
        let pointers = texts.iter().map(|text| text.as_ptr());
        pointers.chain([ptr::null()]).collect::<Vec<_>>()
    };
    let (args, env) = (list(args), list(env));
    // SAFETY: lists of strings that end with NUL, themselves ended by a null pointer, all of which
    // outlive the call. The library ignores SIGPIPE, which the program would inherit.
    unsafe {
        signal(SIGPIPE, SIG_DFL);
        execve(path.as_ptr(), args.as_ptr(), env.as_ptr());
    }
    io::Error::last_os_error()
}
