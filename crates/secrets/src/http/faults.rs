//! spec/secrets-tee.md §6.3, G3: a disk that fails in the middle, and a power cut at a sync. The
//! server is a real process whose system calls `strace` spoils.

use std::{collections::HashMap, path::Path, process::Command, sync::Arc};

use alloy::signers::local::PrivateKeySigner;
use protocol::{Address, sms};

use super::crash::{Server, cycles};
use crate::{
    Config, Service, Slot, audit,
    testing::{Script, sign},
    vault::AUDIT_FILE,
};

/// Syncs of a file after which the fault comes, from the first on.
const SYNCS_STANDARD: usize = 3;
/// Pushes of one cycle beyond those that succeed: a fault that does not come is noticed.
const PUSHES_MORE: usize = 3;
/// The database's log, which is what a commit syncs.
const WAL_FILE: &str = "secrets.sqlite-wal";

/// What happens at the `n`-th sync of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process is gone.
    Killed,
    /// The disk says no, once.
    Once,
    /// The disk says no, and goes on doing so.
    Always,
}

impl Fault {
    /// The server behind `strace`, which counts the syncs of `file` only.
    fn command(self, file: &Path, sync: usize) -> Command {
        let (what, more) = match self {
            Self::Killed => ("signal=KILL", ""),
            Self::Once => ("error=EIO", ""),
            Self::Always => ("error=EIO", "+"),
        };
        let mut command = Command::new("strace");
        command
            .args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
            .arg("-e")
            .arg(format!("inject=fsync,fdatasync:{what}:when={sync}{more}"))
            .arg("-P")
            .arg(file)
            .arg(std::env::current_exe().unwrap());
        command
    }
}

/// What a place may hold: the value that was acknowledged last, and all that were refused since.
type Allowed = HashMap<Slot, Vec<Option<String>>>;

struct Client {
    wallet: PrivateKeySigner,
    pushes: usize,
    allowed: Allowed,
}

impl Client {
    fn new() -> Self {
        Self {
            wallet: PrivateKeySigner::random(),
            pushes: 0,
            allowed: Allowed::new(),
        }
    }

    fn owner(&self) -> Address {
        self.wallet.address()
    }

    /// By turns a new secret for ever, and another value of the one that can be replaced; says
    /// whether it was acknowledged.
    async fn push(&mut self, server: &Server) -> bool {
        self.pushes += 1;
        let (owner, value) = (self.owner(), format!("value {}", self.pushes));
        let (request, name, slot) = match self.pushes {
            number if number % 2 == 1 => {
                let name = format!("n{number}");
                let request = format!("POST /requesters/{owner}/secrets/{name}");
                let slot = Slot::requester(owner, &name);
                (request, name, slot)
            }
            _ => {
                let name = "counter".to_owned();
                let slot = Slot::web2(owner, &name);
                let request = format!("/secrets/web2?ownerAddress={owner}&secretName={name}");
                let known = self.allowed.get(slot.as_ref().unwrap());
                // A first push that was refused may have left its value.
                let is_there = known.is_some_and(|known| known[0].is_some());
                let method = if is_there { "PUT" } else { "POST" };
                (format!("{method} {request}"), name, slot)
            }
        };
        let signature = sign(&self.wallet, sms::named(owner, &name, &value));
        let status = server.send(&request, &signature, &value).await;
        let known = self.allowed.entry(slot.unwrap());
        let known = known.or_insert_with(|| vec![None]);
        match status {
            Some(204) => *known = vec![Some(value)],
            Some(500) | None => known.push(Some(value)),
            // What was refused before is there after all.
            Some(404 | 409) if known.len() > 1 => {}
            Some(other) => panic!("{request}: {other}"),
        }
        status == Some(204)
    }

    /// Opens the store and compares all of it with what was told; what is there stays.
    async fn compare(&mut self, data: &Path, what: &str) {
        let ledger = Arc::new(Script::default());
        let service = Service::open(Config::new(data), ledger).await.unwrap();
        let checked = service.vault().check().await.unwrap();
        assert_eq!(checked.damaged, 0, "{what}");
        let mut present = 0;
        for (slot, allowed) in &mut self.allowed {
            let stored = service.vault().get(slot).await.unwrap();
            let stored = stored.map(|value| value.expose().to_owned());
            assert!(
                allowed.contains(&stored),
                "{what}: {slot:?} {stored:?} {allowed:?}"
            );
            present += u64::from(stored.is_some());
            *allowed = vec![stored];
        }
        assert_eq!(checked.sound, present, "{what}");
        audit::verify(&data.join(AUDIT_FILE), None).unwrap();
    }

    /// One server, until a push is not acknowledged, and some pushes more.
    async fn cycle(&mut self, data: &Path, (fault, file, sync): (Fault, &str, usize)) {
        let what = format!("{fault:?} at sync {sync} of {file}");
        let server = Server::start_with(fault.command(&data.join(file), sync), data);
        let server = server.unwrap_or_else(|| panic!("{what}: the server did not start"));
        let mut acknowledged = Vec::new();
        for _ in 0..sync + PUSHES_MORE {
            acknowledged.push(self.push(&server).await);
        }
        server.end();
        let before = acknowledged.iter().take_while(|told| **told).count();
        // A log that begins anew is synced twice by the first commit.
        let least = if file == WAL_FILE {
            sync.saturating_sub(2)
        } else {
            sync - 1
        };
        assert!((least..sync).contains(&before), "{what}: {acknowledged:?}");
        // After a sync of the audit log that failed nobody knows what the disk has. The database
        // gets another thread after a fault, and `strace` counts each thread's syncs apart.
        let is_for_good = file == AUDIT_FILE || (fault, sync) == (Fault::Always, 1);
        if fault == Fault::Killed || is_for_good {
            assert!(
                !acknowledged[before..].contains(&true),
                "{what}: {acknowledged:?}"
            );
        }
        self.compare(data, &what).await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_disk_that_fails() {
    tools::need!(tools::strace());
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let mut client = Client::new();
    client.compare(data, "a new store").await;
    for sync in 1..=cycles().unwrap_or(SYNCS_STANDARD) {
        for fault in [Fault::Killed, Fault::Once, Fault::Always] {
            for file in [WAL_FILE, AUDIT_FILE] {
                client.cycle(data, (fault, file, sync)).await;
            }
        }
    }
}
