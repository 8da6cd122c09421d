//! What every container gets or does not get, whichever engine runs it.

/// Capabilities that remain inside a container's own namespaces.
///
/// Images commonly prepare files as root and step down to a user before the real work, for
/// which the first seven are needed; `NET_BIND_SERVICE` lets a test server listen on port 80.
/// Docker's default set has six more that tasks do not need and attacks have used: `MKNOD`
/// (device files), `NET_RAW` (spoofed packets), `SETFCAP` and `SETPCAP` (keeping privileges for
/// later), `SYS_CHROOT`, `AUDIT_WRITE`.
pub(crate) const CAPABILITIES: [&str; 8] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "NET_BIND_SERVICE",
];

/// Open files per process: far below what hurts the host, and low enough that a daemon with the
/// usual limits of its own may grant it.
pub(crate) const OPEN_FILES_MAX: u32 = 4_096;

/// Marks containers as ours, so that nobody else's are ever swept.
pub(crate) const LABEL: &str = "iexec";
/// The value of [`LABEL`].
pub(crate) const LABEL_VALUE: &str = "1";

/// The exit code of a process that was killed: 128 + SIGKILL.
pub(crate) const KILLED_CODE: i64 = 137;
