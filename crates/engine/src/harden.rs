//! Keeping what is in our own memory from everybody else on the machine.

use std::io;
use std::process::{self, Command};

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CapabilitySet, capabilities};

/// What [`harden`] could do of what only some machines allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardened {
    /// Whether no page of this process, now or later, can get to a disk as swap.
    pub is_locked: bool,
}

/// Closes this process to those who could read secrets out of it: no core is written, and nobody
/// but root may trace it or read its memory, its environment or where its files are.
///
/// To be called first of all, before anything secret is in memory. It holds up to the next
/// `execve`, so a program that is started by this one has to call it itself; that it writes no core
/// stays. Pages are locked where there is no limit to that, which takes root or a limit that was
/// lifted (`ulimit -l unlimited`): with a limit, memory would run out at it.
///
/// # Errors
/// When the kernel refuses. Then nothing secret should get into this process.
pub fn harden() -> io::Result<Hardened> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    Ok(Hardened {
        is_locked: lock_pages(),
    })
}

/// Locks pages when they are first used: what is reserved only takes no memory.
fn lock_pages() -> bool {
    let is_privileged =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    let is_unlimited = getrlimit(Resource::Memlock).current.is_none();
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    (is_privileged || is_unlimited) && mlockall(all).is_ok()
}

/// Lets a child not outlive this process: the kernel kills it, however we end.
///
/// Strictly, it is killed when the *thread* that started it ends. So start it from one that lives
/// as long as the process: the main thread, or a worker of an async runtime in which nobody blocks
/// in place; not one of a pool for blocking work.
pub fn tether(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let parent = Pid::from_raw(process::id().cast_signed());
    let follow = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Had we ended before that, nobody would tell the child.
        match getppid() == parent {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    };
    #[expect(unsafe_code, reason = "the only way to act between fork and exec")]
    // SAFETY: two system calls; nothing is allocated and no lock taken.
    unsafe {
        command.pre_exec(follow);
    }
}
