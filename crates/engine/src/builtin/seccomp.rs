//! Which system calls a container may not make.
//!
//! What Docker's default profile forbids, as a list of what is denied instead of what is allowed:
//! a list of everything that programs need is never complete. So that what kernels will learn
//! later is not allowed by oversight, every number above the newest one judged here does not
//! exist, and with it the second set of numbers (x32) that the kernel of x86-64 has up there.

use std::collections::BTreeMap;

use libc::{
    AF_VSOCK, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID,
    CLONE_NEWUSER, CLONE_NEWUTS, ENOSYS, EPERM, c_long,
};
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq, Ne};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter, sock_filter,
};

/// The newest call that was looked at when this was written: `mseal`, of Linux 6.10. From 424 on,
/// numbers are the same on all processors.
const NEWEST: c_long = 462;

/// Denied whatever the arguments.
const DENIED: &[c_long] = &[
    // The machine: its clock, kernel, modules, disks, names.
    libc::SYS_acct,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // Mounts and namespaces: the walls of the container.
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
    // Files by number, past the mounts; and watching those of everybody.
    libc::SYS_fanotify_init,
    libc::SYS_open_by_handle_at,
    // Keys, which have no namespace.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // Large doors into the kernel that tasks do not need.
    libc::SYS_bpf,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    // Other processes.
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    // Where memory lies: side channels, and Docker's choice.
    libc::SYS_get_mempolicy,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_set_mempolicy,
    libc::SYS_set_mempolicy_home_node,
];

/// What only this processor's kernel has: its ports, and what was left behind long ago.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[c_long] = &[
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS__sysctl,
    libc::SYS_sysfs,
    libc::SYS_uselib,
    libc::SYS_ustat,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[c_long] = &[];

/// Flags of `clone` that make namespaces.
const NEW_NAMESPACES: [i32; 7] = [
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
];

/// What `ptrace` is asked to take another process over: `PTRACE_ATTACH` and `PTRACE_SEIZE`.
const SEIZING: [u64; 2] = [16, 0x4206];

/// The execution domains that Docker allows: Linux of 64 and of 32 bits, with and without
/// `UNAME26`, and the question which one it is. Others switch protections of memory off.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Why there is no filter, and therefore no container.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The processor is none that filters can be made for.
    #[error("no filter of system calls for this processor")]
    Compile(#[from] BackendError),
    /// The kernel has no filters.
    #[error("the kernel took no filter of system calls")]
    Install(#[from] seccompiler::Error),
}

/// Puts this thread and all that it will ever start behind the filter, for good.
pub(super) fn install() -> Result<(), Error> {
    let programs = [
        compile(denied()?, EPERM)?,
        compile(absent(), ENOSYS)?,
        newer().to_vec(),
    ];
    Ok(programs
        .iter()
        .try_for_each(|program| apply_filter(program))?)
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, BackendError> {
    let action = SeccompAction::Errno(errno.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?.try_into()
}

fn denied() -> Result<Rules, BackendError> {
    let always = DENIED.iter().chain(DENIED_HERE);
    let mut rules: Rules = always.map(|number| (*number, Vec::new())).collect();
    let bit = |flag: i32| u64::from(flag.unsigned_abs());
    let namespaces = NEW_NAMESPACES.map(|flag| when([(MaskedEq(bit(flag)), bit(flag))]));
    rules.insert(libc::SYS_clone, all(namespaces)?);
    // A parent may trace its child; nobody may seize another.
    let seizing = SEIZING.map(|what| when([(Eq, what)]));
    rules.insert(libc::SYS_ptrace, all(seizing)?);
    let others = when(PERSONALITIES.map(|domain| (Ne, domain)));
    rules.insert(libc::SYS_personality, all([others])?);
    // The line to the hypervisor knows no network namespaces.
    let vsock = when([(Eq, u64::from(AF_VSOCK.unsigned_abs()))]);
    rules.insert(libc::SYS_socket, all([vsock])?);
    Ok(rules)
}

/// Calls that libraries try first and do without: whose flags are behind a pointer, where no
/// filter can look.
fn absent() -> Rules {
    [(libc::SYS_clone3, Vec::new())].into()
}

/// When the first argument passes all of these.
fn when(
    tests: impl IntoIterator<Item = (seccompiler::SeccompCmpOp, u64)>,
) -> Result<SeccompRule, BackendError> {
    let conditions = tests
        .into_iter()
        .map(|(test, value)| SeccompCondition::new(0, Dword, test, value));
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

fn all(
    rules: impl IntoIterator<Item = Result<SeccompRule, BackendError>>,
) -> Result<Vec<SeccompRule>, BackendError> {
    rules.into_iter().collect()
}

/// Above [`NEWEST`] nothing exists. Written by hand, as the compiler knows no ranges; it runs
/// behind the others' check of the processor.
fn newer() -> [sock_filter; 4] {
    let statement = |code: u32, k: u32| sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let compare = sock_filter {
        jt: 0,
        jf: 1,
        ..statement(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, NEWEST as u32)
    };
    let errno = libc::SECCOMP_RET_ERRNO | ENOSYS.unsigned_abs();
    [
        // The number comes first in what a filter sees.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        compare,
        statement(libc::BPF_RET | libc::BPF_K, errno),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// The second set of numbers of an x86-64 kernel.
    const X32: c_long = 0x4000_0000;

    /// What the kernel says to a call with this first argument; 0 when it does it.
    #[expect(unsafe_code, reason = "no library makes calls that must fail")]
    fn call(number: c_long, first: u64) -> i32 {
        // SAFETY: the calls below are refused, or ask, or make a descriptor; no pointer is read.
        match unsafe { libc::syscall(number, first, 0, 0, 0, 0) } {
            -1 => io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or_default(),
            _ => 0,
        }
    }

    /// Runs in a thread of its own, behind the filter.
    fn behind<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                install().unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    #[test]
    fn what_opens_the_walls_is_refused() {
        behind(|| {
            for number in DENIED.iter().chain(DENIED_HERE) {
                assert_eq!(call(*number, 0), EPERM, "call {number}");
            }
        });
    }

    #[test]
    fn arguments_decide_where_both_kinds_are_needed() {
        behind(|| {
            for flag in NEW_NAMESPACES {
                assert_eq!(call(libc::SYS_clone, u64::from(flag.unsigned_abs())), EPERM);
            }
            for what in SEIZING {
                assert_eq!(call(libc::SYS_ptrace, what), EPERM);
            }
            assert_eq!(call(libc::SYS_personality, 0x4_0000), EPERM);
            assert_eq!(call(libc::SYS_personality, 0xffff_ffff), 0);
            assert_eq!(call(libc::SYS_socket, AF_VSOCK as u64), EPERM);
            assert_ne!(call(libc::SYS_socket, libc::AF_INET as u64), EPERM);
        });
    }

    #[test]
    fn what_libraries_can_do_without_does_not_exist() {
        behind(|| {
            assert_eq!(call(libc::SYS_clone3, 0), ENOSYS);
            assert_eq!(call(NEWEST + 1, 0), ENOSYS);
            assert_eq!(call(X32 | libc::SYS_mount, 0), ENOSYS);
        });
    }

    #[test]
    fn threads_processes_and_files_work() {
        behind(|| {
            assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
            let said = std::process::Command::new("echo").arg("well").output();
            assert_eq!(said.unwrap().stdout, b"well\n");
            assert!(std::fs::read_to_string("/proc/self/status").is_ok());
        });
    }
}
