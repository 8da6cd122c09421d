//! The process between us and a container.
//!
//! A container is made by cloning the calling process, which is only safe in a process with a
//! single thread; ours has many. So the program starts itself once more for each run, and this
//! is what it does then. It also keeps the promise that nothing outlives us: when our end of its
//! standard input closes, for whatever reason, it kills the container; and when it dies itself,
//! the kernel kills the container.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::network::link::LinkClient;
use libcontainer::network::wrapper::create_network_client;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::default::DefaultExecutor;
use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, pidfd_send_signal,
    set_parent_process_death_signal, waitpid,
};
use rustix::thread::UnshareFlags;

use super::bundle::{Bundle, Outcome, Plan};
use super::{complaint, line, link, root, rootless, seccomp};
use crate::secret::input;

/// The loopback is the first interface of every network namespace.
const LOOPBACK_INDEX: u32 = 1;

/// The whole program of the helper: runs the container prepared in `dir` and writes how it
/// ended into it. Returns the exit code of the process.
///
/// Must be called before this process starts a thread or an async runtime; the program that
/// embeds the engine does so for the subcommand named in [`Config::helper`](crate::Config).
#[must_use]
pub fn run_bundle_main(dir: &Path) -> i32 {
    let bundle = Bundle(dir.to_owned());
    let complaints = bundle.path("complaints");
    // Until the end of this process: who removes the directory waits for that.
    let Ok(_lock) = lock(&bundle) else { return 1 };
    let recorded = complaint::record(&complaints).map_err(said("complaints"));
    let outcome = match recorded.and_then(|()| run(&bundle)) {
        Ok(code) => Outcome::Exited(code),
        Err(reason) => Outcome::Failed(match complaint::first(&complaints) {
            Some(cause) => format!("{reason} ({cause})"),
            None => reason,
        }),
    };
    let written = serde_json::to_vec(&outcome)
        .map_err(io::Error::from)
        .and_then(|text| fs::write(bundle.outcome(), text));
    i32::from(written.is_err())
}

type Result<T> = std::result::Result<T, String>;

fn said<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String {
    move |error| format!("{what}: {error}")
}

fn lock(bundle: &Bundle) -> Result<File> {
    let lock = File::open(bundle.lock()).map_err(said("lock"))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(said("lock"))?;
    Ok(lock)
}

fn run(bundle: &Bundle) -> Result<i64> {
    let plan = fs::read(bundle.plan()).map_err(said("plan"))?;
    let plan: Plan = serde_json::from_slice(&plan).map_err(said("plan"))?;
    separate(&plan)?;
    if let Some(port) = plan.loopback {
        offer(port).map_err(said("loopback"))?;
    }
    root::prepare(bundle, &plan).map_err(said("root file system"))?;
    let pid = start(bundle, plan.has_secrets)?;
    let status = watch(pid).map_err(said("wait"))?;
    let code = status
        .exit_status()
        .or(status.terminating_signal().map(|signal| 128 + signal));
    code.map(i64::from)
        .ok_or_else(|| "ended without a status".to_owned())
}

/// Leaves the host's mounts and its network. What is mounted from here on is unmounted by the
/// kernel when the last process of this run is gone, and so are the interfaces.
fn separate(plan: &Plan) -> Result<()> {
    let outside = link::here().map_err(said("network"))?;
    leave(plan).map_err(said("namespaces"))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(said("mounts"))?;
    if plan.ids.is_some() && !plan.is_grouped {
        rootless::hide_old_groups().map_err(said("control groups"))?;
    }
    let client = LinkClient::new(create_network_client());
    client
        .and_then(|mut client| client.set_up(LOOPBACK_INDEX))
        .map_err(said("loopback"))?;
    match &plan.link {
        Some(link) => link::connect(&outside, link).map_err(said("network")),
        None => Ok(()),
    }
}

/// Gives our parent a listener in the network that this process and the container share. Nothing of
/// it is left here when the container is cloned.
fn offer(port: u16) -> io::Result<()> {
    line::send(io::stdin(), &crate::loopback::bind(port)?)
}

fn leave(plan: &Plan) -> io::Result<()> {
    let both = UnshareFlags::NEWNS | UnshareFlags::NEWNET;
    match plan.ids {
        Some(ids) => rootless::enter(ids, both),
        #[expect(
            deprecated,
            reason = "unsafe only where file descriptors are concerned"
        )]
        None => Ok(rustix::thread::unshare(both)?),
    }
}

fn start(bundle: &Bundle, has_secrets: bool) -> Result<Pid> {
    // Our own standard input is the line to our parent. The container needs it to read what only
    // its program shall know, and this process never does; it does not keep it.
    let stdin = match has_secrets {
        true => io::stdin().as_fd().try_clone_to_owned(),
        false => File::open("/dev/null").map(OwnedFd::from),
    };
    let stdin = stdin.map_err(said("standard input"))?;
    let executor = Tethered { has_secrets };
    let mut container = ContainerBuilder::new("run".to_owned(), SyscallType::default())
        .with_root_path(bundle.path("state"))
        .map(|builder| builder.with_executor(executor).with_stdin(stdin))
        .and_then(|builder| builder.as_init(&bundle.0).with_systemd(false).build())
        .map_err(|error| chain(&error))?;
    let pid = container.pid().and_then(|pid| Pid::from_raw(pid.as_raw()));
    container.start().map_err(|error| chain(&error))?;
    pid.ok_or_else(|| "no process".to_owned())
}

/// Waits for the end of the container, or of our parent, which ends the container.
fn watch(pid: Pid) -> io::Result<WaitStatus> {
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let parent = io::stdin();
    let mut events = [
        PollFd::new(&process, PollFlags::IN),
        PollFd::new(&parent, PollFlags::IN),
    ];
    poll(&mut events, None)?;
    if events[0].revents().is_empty() {
        pidfd_send_signal(&process, Signal::KILL)?;
    }
    match waitpid(Some(pid), WaitOptions::empty())? {
        Some((_, status)) => Ok(status),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The error and its causes, without repeating those that quote their cause themselves.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}

/// Executes the container's program so that it cannot outlive the helper, behind the filter of
/// system calls. Nothing of the set-up is left to do when this is called.
#[derive(Clone)]
struct Tethered {
    has_secrets: bool,
}

impl Executor for Tethered {
    fn exec(&self, spec: &Spec) -> std::result::Result<(), ExecutorError> {
        set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| ExecutorError::Execution(Box::new(error)))?;
        seccomp::install().map_err(|error| ExecutorError::Execution(Box::new(error)))?;
        DefaultExecutor {}.exec(spec)
    }

    fn validate(&self, spec: &Spec) -> std::result::Result<(), ExecutorValidationError> {
        DefaultExecutor {}.validate(spec)
    }

    /// In the container, as its user, with nothing left to do that could tell of it.
    fn setup_envs(
        &self,
        mut envs: HashMap<String, String>,
    ) -> std::result::Result<(), ExecutorSetEnvsError> {
        if self.has_secrets {
            let secrets = secrets().map_err(|error| ExecutorSetEnvsError::Other(chain(&error)))?;
            envs.extend(secrets);
        }
        DefaultExecutor {}.setup_envs(envs)
    }
}

/// Reads what was sent for the program, which then finds nothing on its standard input.
fn secrets() -> io::Result<Vec<(String, String)>> {
    let secrets = input::read(File::from(io::stdin().as_fd().try_clone_to_owned()?))?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(secrets)
}
