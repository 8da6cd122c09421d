//! Our command line beside the official one: whole-process time and peak memory of the commands
//! people type most, in equal folders on one local network.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use engine::Choice;
use iexec_tests::{
    cast::{Ask, Cast},
    tools,
};
use network::{Info, Network, Role, local_wallet};
use serde_json::{Value, json};

use crate::{
    command::{Program, Spent},
    stats::{line, median, say},
    task,
};

/// Runs of each of our commands; the first warms the disk's cache and does not count.
const RUNS: usize = 11;
/// Runs of each official command, likewise: they take seconds.
const OFFICIAL_RUNS: usize = 4;
/// The official command line people install today.
const OFFICIAL: &str = "9.0.1";

/// Prints time and memory of each command on both sides.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("network");
    let network = Network::builder(&data).port(0).engine(Choice::Builtin);
    let network = network.start().await?;
    let scene = Scene::set(&network, folder.path()).await?;
    let measured = tokio::task::spawn_blocking(move || scene.play(&data)).await;
    network.stop().await;
    measured?
}

/// What the commands need: an app, a task, and two project folders with the same content.
struct Scene {
    app: String,
    task: String,
    ours: PathBuf,
    official: PathBuf,
}

impl Scene {
    async fn set(network: &Network, folder: &Path) -> anyhow::Result<Self> {
        let engine = network.engine().clone();
        let image = engine.import(demo::archive()?.into(), demo::TAG).await?;
        let cast = Cast::local(network.info(), engine).await?;
        let app = task::deploy(&cast, image.id.0.into()).await?;
        let deal = cast.deal(app, &Ask::default()).await?;
        cast.completed(&deal, 1).await?;
        let task = deal.tasks.first().context("a deal without a task")?;
        let app = app.to_checksum(None);
        let [ours, official] = ["ours", "official"].map(|name| folder.join(name));
        for project in [&ours, &official] {
            write_project(project, network.info(), &app)?;
        }
        Ok(Self {
            app,
            task: task.to_string(),
            ours,
            official,
        })
    }

    fn play(&self, data: &Path) -> anyhow::Result<()> {
        let ours = crate::start::program()?;
        let ours = Program::new(&[ours.as_os_str()], &self.ours, data);
        let official = match tools::npm_package("iexec", OFFICIAL) {
            Ok(package) => Some(self.official(&package, data)),
            Err(error) => {
                say(&format!(
                    "the official command line is not measured: {error}"
                ));
                None
            }
        };
        let locked = ["wallet", "create", "--password", "word", "--force"];
        let plain = ["wallet", "create", "--unencrypted", "--force"];
        let new = ["--keystoredir", "new", "--raw"];
        let lines: [(&str, &[&str]); 5] = [
            ("app show", &["app", "show", &self.app, "--raw"]),
            ("order sign", &["order", "sign", "--app", "--raw"]),
            ("task show", &["task", "show", &self.task, "--raw"]),
            // last: the official one overwrites the wallet of the folder
            ("wallet create", &[&plain[..], &new].concat()),
            // scrypt as the keystore format wants it takes 128 MiB, whoever computes it
            ("wallet create, encrypted", &[&locked[..], &new].concat()),
        ];
        for (name, words) in lines {
            compare(name, &ours, official.as_ref(), words)?;
        }
        Ok(())
    }

    fn official(&self, package: &Path, data: &Path) -> Program {
        let script = package.with_file_name(".bin").join("iexec");
        Program::new(
            &[OsStr::new("node"), script.as_os_str()],
            &self.official,
            data,
        )
    }
}

/// A chain both know, the developer's wallet, and an app order to sign.
fn write_project(folder: &Path, info: &Info, app: &str) -> anyhow::Result<()> {
    let url = &info.rpc_url;
    let chain = json!({ "default": "dev", "chains": { "dev": {
        "id": info.chain_id.to_string(), "host": url, "hub": info.hub.to_checksum(None),
        "sms": url, "iexecGateway": url, "ipfsGateway": url, "compass": url } } });
    let order = json!({ "order": { "apporder": {
        "app": app, "appprice": "0", "volume": "1", "tag": ["tee", "tdx"],
        "datasetrestrict": protocol::Address::ZERO, "workerpoolrestrict": protocol::Address::ZERO,
        "requesterrestrict": protocol::Address::ZERO } } });
    let developer = local_wallet(Role::Developer, 0);
    let key = info
        .accounts
        .iter()
        .find(|account| account.role == Role::Developer);
    let wallet = json!({ "privateKey": key.context("no developer")?.private_key,
        "publicKey": "", "address": developer.address().to_checksum(None) });
    fs::create_dir_all(folder.join("new"))?;
    let files: [(&str, Value); 3] = [
        ("chain.json", chain),
        ("iexec.json", order),
        ("wallet.json", wallet),
    ];
    for (name, content) in files {
        fs::write(folder.join(name), content.to_string())?;
    }
    Ok(())
}

fn compare(
    name: &str,
    ours: &Program,
    official: Option<&Program>,
    words: &[&str],
) -> anyhow::Result<()> {
    let yardstick = official
        .map(|program| spent(program, words, OFFICIAL_RUNS))
        .transpose()?;
    let own = spent(ours, words, RUNS)?;
    if let Some(yardstick) = yardstick {
        line(
            &format!("iexec {name}, official {OFFICIAL} (median)"),
            yardstick.time,
            None,
        );
        memory(
            &format!("iexec {name}, official {OFFICIAL}, peak"),
            yardstick.peak_kib,
        );
    }
    let time = yardstick.map(|yardstick| yardstick.time);
    line(&format!("iexec {name} (median)"), own.time, time);
    memory(&format!("iexec {name}, peak"), own.peak_kib);
    Ok(())
}

/// The median time and the highest peak.
fn spent(program: &Program, words: &[&str], runs: usize) -> anyhow::Result<Spent> {
    let all = (0..runs)
        .map(|_| program.run(words))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let counted = all.get(1..).unwrap_or_default();
    Ok(Spent {
        time: median(counted.iter().map(|spent| spent.time).collect()),
        peak_kib: counted
            .iter()
            .map(|spent| spent.peak_kib)
            .max()
            .unwrap_or_default(),
    })
}

fn memory(name: &str, kib: u64) {
    say(&format!("{name:<58} {:>8.1} MiB", kib as f64 / 1024.0));
}
