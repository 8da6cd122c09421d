//! PostgreSQL servers of our own: nothing of the machine's is touched, whatever a test does.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{debian, keep, requirement};

/// Where Debian keeps each major version of the server.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Debian's user and group without rights: the server refuses to run as root.
const NOBODY: u32 = 65534;
/// It takes a second; a machine that needs this long is stuck.
const READY_MAX: Duration = Duration::from_secs(60);
/// Between two looks at a server that starts.
const READY_POLL: Duration = Duration::from_millis(20);
/// Databases of tests are thrown away, so nothing has to reach the disk; and many tests at once
/// each open a pool of connections.
const CARELESS: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=500",
];
/// Runs the server until stdin is closed, then ends it and removes its folder. The kernel closes
/// stdin when we die, however that happens.
const KEEPER: &str = r#"folder=$1; shift
"$0" "$@" </dev/null >/dev/null 2>"$folder/log" & exec >/dev/null 2>&1
read -r _; kill -QUIT $!; wait; rm -rf "$folder""#;

/// A running server that listens on a socket in a folder of its own; ended on drop and when we die.
#[derive(Debug)]
pub struct Postgres {
    keeper: Child,
    folder: PathBuf,
    programs: PathBuf,
    databases: AtomicU64,
}

/// The URL of a new, empty database on the one careless server of this process.
///
/// Fails where PostgreSQL neither is installed nor can be; see [`need!`](crate::need!).
pub fn postgres_database() -> Result<String> {
    static SERVER: OnceLock<Result<Postgres, String>> = OnceLock::new();
    let start = || Postgres::start(CARELESS).map_err(|error| format!("{error:#}"));
    let server = SERVER.get_or_init(start).as_ref();
    server.map_err(|reason| anyhow!("{reason}"))?.database()
}

impl Postgres {
    /// Starts a server with `settings`, each `name=value`; none gives the safe ones it comes with.
    /// PostgreSQL is installed from Debian when it is missing.
    pub fn start(settings: &[&str]) -> Result<Self> {
        let programs = programs()?;
        let folder = new_folder()?;
        let data = folder.join("data");
        let mut init = unprivileged(Command::new(programs.join("initdb")), &folder)?;
        init.args(["--no-sync", "--auth=trust", "--username=postgres"]);
        init.args(["--locale=C", "--encoding=UTF8", "--pgdata"]);
        keep::run(init.arg(&data))?;
        let keeper = serve(&programs, &folder, settings)?;
        let server = Self {
            keeper,
            folder,
            programs,
            databases: AtomicU64::new(0),
        };
        server.await_ready()?;
        Ok(server)
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> Result<String> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test{number}");
        keep::run(self.client("createdb").arg(&name))?;
        let folder = self.folder.display();
        Ok(format!("postgres:///{name}?host={folder}&user=postgres"))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--host").arg(&self.folder);
        command.arg("--username=postgres");
        command
    }

    fn await_ready(&self) -> Result<()> {
        let start = Instant::now();
        while keep::run(&mut self.client("pg_isready")).is_err() {
            if start.elapsed() > READY_MAX {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("PostgreSQL does not become ready: {}", log.trim());
            }
            thread::sleep(READY_POLL);
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The folder of the newest server's programs.
fn programs() -> Result<PathBuf> {
    debian::apt_install_unless("postgresql", || newest().is_some())?;
    newest().context("there is no PostgreSQL server")
}

fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    versions
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin/postgres").is_file())
        .max_by_key(version)
        .map(|folder| folder.join("bin"))
}

/// A folder that the server may write to. Its name is short: it becomes part of a socket's.
fn new_folder() -> Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("iexec-pg-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    // Left over from a process that had our number.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).with_context(|| format!("create `{}`", folder.display()))?;
    if requirement::root().is_ok() {
        chown(&folder, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(folder)
}

fn unprivileged(mut command: Command, folder: &Path) -> Result<Command> {
    command.current_dir(folder);
    if requirement::root().is_ok() {
        command.uid(NOBODY).gid(NOBODY);
    }
    Ok(command)
}

fn serve(programs: &Path, folder: &Path, settings: &[&str]) -> Result<Child> {
    let mut command = unprivileged(Command::new("sh"), folder)?;
    command.args(["-c", KEEPER]).arg(programs.join("postgres"));
    command.arg(folder).arg("-D").arg(folder.join("data"));
    command.arg("-k").arg(folder).args(["-h", ""]);
    for setting in settings {
        command.args(["-c", setting]);
    }
    command.stdin(Stdio::piped());
    command.spawn().context("start sh")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &Postgres, database: &str, sql: &str) -> String {
        let mut command = server.client("psql");
        let output = keep::run(command.args(["-At", "-d", database, "-c", sql])).unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_server_keeps_databases_apart_and_leaves_nothing() {
        crate::need!(programs());
        let server = Postgres::start(CARELESS).unwrap();
        for name in ["test0", "test1"] {
            let url = server.database().unwrap();
            assert!(url.contains(name), "{url}");
            ask(&server, name, "create table once (n bigint)");
        }
        assert_eq!(ask(&server, "test0", "show fsync"), "off");
        let folder = server.folder.clone();
        drop(server);
        assert!(!folder.exists());
    }
}
