//! Secrets with a song of their own: while a confidential task runs and afterwards, they are
//! looked for everywhere, and nobody may have heard them but the app.
//!
//! Each role is a process of its own that logs everything it can.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use engine::Choice;
use iexec_tests::{
    app::Image,
    archive::Archive,
    bench::Bench,
    cast::{Ask, Cast, Deal},
    confidential,
};
use protocol::{Tag, TaskId, params::DealParams};
use sdk::dataset::Key;

use crate::{
    chaos::cast,
    platform::{Platform, worker_name},
    process::{Place, Process, Special},
};

/// Between two looks; the test's own limit bounds them.
const LOOK: Duration = Duration::from_millis(20);
const PRICE: u64 = 10;
const CONTENT: &str = "canary in the dataset's cage";
const OF_DEVELOPER: &str = "canary of the developer";
const OF_REQUESTER: &str = "canary of the requester";
/// Memory is read in pieces of this size, which overlap by the longest canary.
const PIECE: usize = 1 << 20;
/// Shows everything that it was given, and lets itself be looked at.
const APP: &str = r#"
result="$IEXEC_OUT/result.txt"
echo "$IEXEC_APP_DEVELOPER_SECRET|$IEXEC_REQUESTER_SECRET_1" > "$result"
cat "$IEXEC_IN/$IEXEC_DATASET_FILENAME" >> "$result"
declare_result "$result"
echo singing > "$IEXEC_OUT/singing"
while [ ! -e "$IEXEC_OUT/go" ]; do sleep 0.1; done
"#;

/// What nobody may hear, in each tongue.
struct Canaries(Vec<Vec<u8>>);

impl Canaries {
    fn of(secrets: &[&str]) -> Self {
        let songs = secrets.iter().flat_map(|secret| {
            let bytes = secret.as_bytes();
            // The middle of its base64 is the same wherever it begins in a longer text of that
            // alignment; all three alignments are looked for.
            let in_base64 = (0..3).map(|skipped| STANDARD_NO_PAD.encode(&bytes[skipped..]));
            let in_base64 = in_base64.map(|text| text[..text.len() - 2].to_owned().into_bytes());
            let in_hex = hex(bytes).into_bytes();
            [bytes.to_vec(), in_hex].into_iter().chain(in_base64)
        });
        Self(songs.collect())
    }

    fn longest(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or_default()
    }

    fn heard_in(&self, bytes: &[u8]) -> Option<String> {
        let is_heard = |song: &&Vec<u8>| find(bytes, song).is_some();
        let song = self.0.iter().find(is_heard)?;
        Some(String::from_utf8_lossy(song).into_owned())
    }

    fn silent(&self, bytes: &[u8], place: &str) -> Result<()> {
        match self.heard_in(bytes) {
            None => Ok(()),
            Some(song) => anyhow::bail!("`{song}` is heard in {place}"),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Skips to each place where the first byte is, which the library does fast.
fn find(bytes: &[u8], song: &[u8]) -> Option<usize> {
    let (&first, mut at) = (song.first()?, 0);
    while let Some(skipped) = bytes[at..].iter().position(|&byte| byte == first) {
        at += skipped;
        if bytes[at..].starts_with(song) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// All files below a folder.
fn files(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn check_files(dir: &Path, canaries: &Canaries) -> Result<()> {
    let mut all = Vec::new();
    files(dir, &mut all)?;
    ensure!(!all.is_empty(), "{} is empty", dir.display());
    for path in all {
        // What is removed meanwhile is gone.
        let bytes = fs::read(&path).unwrap_or_default();
        canaries.silent(&bytes, &path.display().to_string())?;
    }
    Ok(())
}

/// What a core dump of a process would have in it.
fn check_memory(process: &Process, canaries: &Canaries) -> Result<()> {
    let folder = Path::new("/proc").join(process.id().to_string());
    let mut memory = fs::File::open(folder.join("mem"))?;
    let mut read = 0;
    for line in fs::read_to_string(folder.join("maps"))?.lines() {
        let is_readable = line.split(' ').nth(1).is_some_and(|p| p.starts_with('r'));
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let Some((from, to)) = range.filter(|_| is_readable && !line.ends_with("[vvar]")) else {
            continue;
        };
        let (from, to) = (u64::from_str_radix(from, 16)?, u64::from_str_radix(to, 16)?);
        read += check_range(&mut memory, from..to, process, canaries)?;
    }
    ensure!(read > PIECE, "{}: its memory cannot be read", process.name);
    Ok(())
}

fn check_range(
    memory: &mut fs::File,
    range: std::ops::Range<u64>,
    process: &Process,
    canaries: &Canaries,
) -> Result<usize> {
    let (mut at, mut read) = (range.start, 0);
    let mut piece = vec![0; PIECE + canaries.longest()];
    while at < range.end {
        let wanted = piece.len().min(usize::try_from(range.end - at)?);
        memory.seek(SeekFrom::Start(at))?;
        // Pages of devices and of the kernel cannot be read; a core does not have them either.
        let Ok(got @ 1..) = memory.read(&mut piece[..wanted]) else {
            break;
        };
        let place = format!("the memory of {} at {at:#x}", process.name);
        canaries.silent(&piece[..got], &place)?;
        read += got;
        at += got.min(PIECE) as u64;
    }
    Ok(read)
}

/// The words that every process was started with, and the variables of those outside of
/// containers.
fn check_processes(canaries: &Canaries) -> Result<()> {
    let namespace = |folder: &Path| fs::metadata(folder.join("ns/pid")).map(|data| data.ino());
    let own = namespace(Path::new("/proc/self"))?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let folder = entry.path();
        let words = fs::read(folder.join("cmdline")).unwrap_or_default();
        canaries.silent(&words, &format!("the words of {}", folder.display()))?;
        if namespace(&folder).is_ok_and(|other| other == own) {
            let variables = fs::read(folder.join("environ")).unwrap_or_default();
            canaries.silent(
                &variables,
                &format!("the variables of {}", folder.display()),
            )?;
        }
    }
    Ok(())
}

/// What Docker tells of all containers.
fn check_docker(canaries: &Canaries) -> Result<()> {
    let docker = |words: &[&str]| -> Result<Vec<u8>> {
        let output = Command::new("docker").args(words).output()?;
        ensure!(output.status.success(), "docker {words:?}");
        Ok(output.stdout)
    };
    let all = String::from_utf8(docker(&["ps", "-a", "-q", "--filter", "label=iexec=1"])?)?;
    ensure!(!all.is_empty(), "no container");
    for id in all.lines() {
        canaries.silent(&docker(&["inspect", id])?, "docker inspect")?;
        canaries.silent(&docker(&["logs", id])?, "docker logs")?;
    }
    check_files(Path::new("/var/lib/docker/containers"), canaries)
}

/// Where the app of a task has said that it runs: the folder that it sees as `/iexec_out`. Other
/// tests have theirs beside it.
async fn singing(roots: &[&Path], task: TaskId) -> Result<PathBuf> {
    let own = task.to_string();
    loop {
        let mut all = Vec::new();
        for root in roots {
            files(root, &mut all)?;
        }
        let is_own = |path: &Path| path.to_string_lossy().contains(&own);
        let sings = |path: &&PathBuf| path.ends_with("iexec_out/singing") && is_own(path);
        if let Some(path) = all.iter().find(sings) {
            return Ok(path.parent().context("no folder")?.to_owned());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn start(choice: Choice, folder: &Path) -> Result<(Platform, Process)> {
    let seed = folder.join("simulator.seed");
    let sms = Special {
        role: "sms",
        settings: format!(
            "framework = \"TDX\"\n[attestation]\nmode = \"simulation\"\nsimulator = \"{}\"\n",
            seed.display()
        ),
        words: " --insecure-simulation",
    };
    let store = Special {
        role: "store",
        settings: "public-add = true\n".to_owned(),
        words: "",
    };
    let place = Place::watched(folder.to_owned(), vec![sms, store]);
    let platform = Platform::start(place, 1)?;
    let engine = match choice {
        Choice::Docker => "docker",
        _ => "builtin",
    };
    let enclave = format!("[attestation]\nsimulator = \"{}\"\n", seed.display());
    let worker = platform.worker_with(0, engine, &enclave)?;
    Ok((platform, worker))
}

/// The deal, its secrets pushed, and the beneficiary's key.
async fn asked(platform: &Platform, image: &Image, key: &Key) -> Result<(Deal, String)> {
    let sms = cast(platform, platform.sms.url()).await?;
    let store = cast(platform, platform.store.url()).await?;
    let app = image.deploy(&sms.developer).await?;
    let (dataset, order) = confidential::dataset(&store, key, CONTENT).await?;
    confidential::push_dataset_key(&sms, dataset, &key.to_text()).await?;
    confidential::push_app_secret(&sms, app, OF_DEVELOPER).await?;
    confidential::push_requester_secret(&sms, "song", OF_REQUESTER).await?;
    let private = confidential::push_result_key(&sms).await?;
    let params = DealParams {
        iexec_result_encryption: Some(true),
        iexec_secrets: Some([("1".to_owned(), "song".to_owned())].into()),
        ..DealParams::default()
    };
    let ask = Ask {
        tag: Tag::TEE_TDX,
        pool_price: PRICE,
        ..Ask::default()
    };
    let change = |request: &mut protocol::order::RequestOrder| request.params = params.to_text();
    let deal = confidential::deal_with(&sms, app, &order, &ask, change).await?;
    Ok((deal, private))
}

pub(crate) async fn is_heard_by_nobody(bench: Bench, choice: Choice) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = fs::canonicalize(folder.path())?;
    let (platform, worker) = start(choice, &folder)?;
    let mut config = engine::Config::new(choice, platform.worker_dir(0).join("engine"));
    config.helper = engine::testing::helper();
    let engine = engine::detect(&config).await?;
    let image = Image::of_script(&engine, bench.test, APP).await?;
    let key = Key::random();
    let (deal, private) = asked(&platform, &image, &key).await?;
    let canaries = Canaries::of(&[CONTENT, OF_DEVELOPER, OF_REQUESTER, &key.to_text()]);

    let out = singing(&[Path::new("/dev/shm"), &folder], deal.tasks[0]).await?;
    check_processes(&canaries)?;
    for process in platform.processes().into_iter().chain([&worker]) {
        // The secret manager has them, for that it is there.
        if process.name != platform.sms.name {
            check_memory(process, &canaries)?;
        }
    }
    if choice == Choice::Docker {
        check_docker(&canaries)?;
    }
    fs::write(out.join("go"), "")?;
    let pool = cast(&platform, platform.pool.url()).await?;
    Cast::expect_end(&pool.ended_one(&deal).await?, "COMPLETED", "")?;
    check_result(&platform, &deal, &private).await?;
    check_files(&folder, &canaries)?;
    check_memory(&worker, &canaries)?;
    let told = platform.place.log_end(&worker_name(0));
    ensure!(told.contains("TRACE"), "not everything was logged");
    ensure!(!out.exists(), "{} is left", out.display());
    Ok(())
}

/// The app has heard all of them.
async fn check_result(platform: &Platform, deal: &Deal, private: &str) -> Result<()> {
    let store = cast(platform, platform.store.url()).await?;
    let encrypted = confidential::stored(&store, deal.tasks[0]).await?;
    let opened = Archive::unzip(&sdk::result::decrypt(&encrypted, private)?)?;
    let expected = format!("{OF_DEVELOPER}|{OF_REQUESTER}\n{CONTENT}");
    ensure!(opened.text("result.txt")? == expected, "{opened:?}");
    Ok(())
}
