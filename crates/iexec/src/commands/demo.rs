//! `iexec demo`: the tutorial from `init` to an unzipped, verified result, for real, on a network
//! that is thrown away afterwards.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use chain::{Hub, HubEvent};
use network::{Info, Network};
use protocol::TaskId;
use serde_json::{Value, json};

use crate::{
    commands::up,
    context::Context,
    outcome::{Failure, Report},
};

/// Whom the app greets.
const NAME: &str = "iExec";
/// The archive's name, as in the tutorial.
const RESULT: &str = "my-app-result";

/// Options of `iexec demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec demo")]
pub(crate) struct Args {
    /// Container engine; auto is Docker when it answers, else the built-in one
    #[arg(long, value_name = "engine", default_value = "auto",
        value_parser = ["auto", "docker", "builtin"])]
    engine: String,
}

/// Plays the tutorial and ends with an error at the first step that does not work.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let start = Instant::now();
    let folder = tempfile::tempdir().map_err(disk)?;
    let stage = Stage::build(folder.path(), &args.engine, context.raw).await?;
    let played = stage.play().await;
    let task = match played {
        Ok(task) => task,
        Err(failure) => {
            stage.network.stop().await;
            return Err(failure);
        }
    };
    stage.network.stop().await;
    let seconds = start.elapsed().as_secs_f64();
    let text = format!(
        "the tutorial ran in {seconds:.1} s: task {task} is completed, its result verified"
    );
    Ok(Report::new(
        json!({ "task": task.to_string(), "seconds": seconds }),
        text,
    ))
}

fn disk(error: std::io::Error) -> Failure {
    Failure::new(format!("cannot make the demo's folders: {error}"))
}

/// The throw-away network and the project folder on it.
struct Stage {
    network: Network,
    data_dir: PathBuf,
    project: PathBuf,
    is_raw: bool,
}

impl Stage {
    async fn build(folder: &Path, engine: &str, is_raw: bool) -> Result<Self, Failure> {
        let (data_dir, project) = (folder.join("network"), folder.join("iexec-projects"));
        fs::create_dir_all(&project).map_err(disk)?;
        let start = Instant::now();
        let builder = Network::builder(&data_dir)
            .port(0)
            .workers(1)
            .engine(up::choice(engine));
        let network = builder.start().await.map_err(up::failure)?;
        let stage = Self {
            network,
            data_dir,
            project,
            is_raw,
        };
        let seconds = start.elapsed().as_secs_f64();
        let engine = &stage.info().engine;
        stage.tell(&format!(
            "A network of your own: chain, contracts, market, pool, worker and result store.\n\
             $ iexec up\n  ready in {seconds:.2} s on {}, containers by {engine}",
            stage.info().rpc_url
        ));
        Ok(stage)
    }

    fn info(&self) -> &Info {
        self.network.info()
    }

    async fn play(&self) -> Result<TaskId, Failure> {
        let image = self.import().await?;
        self.tell("A project with a wallet of its own.");
        self.iexec(&["init", "--unencrypted", "--force"]).await?;
        self.iexec(&["app", "init"]).await?;
        self.edit(&image)?;
        self.tell("Does the app keep its promises? The worker's sandbox, here, twice:");
        self.iexec(&["app", "test", "--args", NAME]).await?;
        self.tell("Deploy it: its image's digest goes on chain, so nobody can run another one.");
        self.iexec(&["app", "deploy", "--chain", "local"]).await?;
        self.iexec(&["app", "show", "--chain", "local"]).await?;
        self.tell("Run it: orders are matched on chain, the pool sends the task to a worker.");
        self.iexec(&[
            "app", "run", "--args", NAME, "--watch", "--force", "--chain", "local",
        ])
        .await?;
        let task = self.last_task().await?;
        self.tell("Fetch the result; its digest is computed again and compared with the chain's.");
        let id = task.to_string();
        self.iexec(&[
            "task",
            "show",
            &id,
            "--download",
            RESULT,
            "--chain",
            "local",
        ])
        .await?;
        self.unzip()?;
        self.tell("And let the world use it.");
        self.iexec(&["app", "publish", "--force", "--chain", "local"])
            .await?;
        Ok(task)
    }

    /// The tutorial's `docker build`: our app is in this program already.
    async fn import(&self) -> Result<String, Failure> {
        let mut config = engine::Config::new(
            up::choice(&self.info().engine),
            self.data_dir.join("engine"),
        );
        config.docker_host = crate::env_vars::get(crate::env_vars::DOCKER_HOST);
        let engine = engine::detect(&config)
            .await
            .map_err(|e| Failure::new(e.to_string()))?;
        let archive = ::demo::archive().map_err(|error| Failure::new(error.to_string()))?;
        let image = engine.import(archive.into(), ::demo::TAG).await;
        image.map_err(|error| Failure::new(format!("the demo's image: {error}")))?;
        Ok(::demo::TAG.to_owned())
    }

    /// The tutorial's edit of iexec.json. Without a checksum, `app deploy` looks it up.
    fn edit(&self, image: &str) -> Result<(), Failure> {
        let path = self.project.join("iexec.json");
        let text = fs::read_to_string(&path).map_err(disk)?;
        let mut json: Value =
            serde_json::from_str(&text).map_err(|e| Failure::new(e.to_string()))?;
        json["app"]["name"] = json!("my-hello-world");
        json["app"]["multiaddr"] = json!(image);
        if let Some(app) = json["app"].as_object_mut() {
            app.remove("checksum");
        }
        fs::write(
            &path,
            serde_json::to_string_pretty(&json).unwrap_or_default(),
        )
        .map_err(disk)?;
        self.tell(&format!(
            "Edit iexec.json: app.name \"my-hello-world\", app.multiaddr \"{image}\", no checksum."
        ));
        Ok(())
    }

    /// Shows a command and runs it: this very program, in the project's folder.
    async fn iexec(&self, words: &[&str]) -> Result<(), Failure> {
        let shown: Vec<&str> = words.to_vec();
        self.tell(&format!("$ iexec {}", shown.join(" ")));
        let program = std::env::current_exe().map_err(disk)?;
        let output = if self.is_raw {
            Stdio::null
        } else {
            Stdio::inherit
        };
        let status = tokio::process::Command::new(program)
            .args(words)
            .current_dir(&self.project)
            .env(crate::env_vars::DATA, &self.data_dir)
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .kill_on_drop(true)
            .status()
            .await
            .map_err(disk)?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("`iexec {}` failed", words.join(" "))))
    }

    /// The first task of the newest deal.
    async fn last_task(&self) -> Result<TaskId, Failure> {
        let info = self.info();
        let chain = |error: chain::Error| Failure::new(error.to_string());
        let hub = Hub::connect(&info.ws_url, info.hub).await.map_err(chain)?;
        let batch = hub.events(0).next().await;
        let events = batch
            .ok_or_else(|| Failure::new("the chain is gone"))?
            .map_err(chain)?
            .events;
        let deals = events.iter().rev().find_map(|located| match located.event {
            HubEvent::OrdersMatched { deal, .. } => Some(deal),
            _ => None,
        });
        Ok(deals
            .ok_or_else(|| Failure::new("there is no deal"))?
            .task(0))
    }

    fn unzip(&self) -> Result<(), Failure> {
        let path = self.project.join(format!("{RESULT}.zip"));
        let bad = |error: &dyn std::fmt::Display| Failure::new(format!("{RESULT}.zip: {error}"));
        let file = fs::File::open(&path).map_err(|error| bad(&error))?;
        let mut zip = zip::ZipArchive::new(file).map_err(|error| bad(&error))?;
        let mut shown = format!("$ unzip {RESULT}.zip -d {RESULT}");
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).map_err(|error| bad(&error))?;
            let mut text = String::new();
            entry
                .read_to_string(&mut text)
                .map_err(|error| bad(&error))?;
            shown += &format!(
                "\n--- {} ({} bytes)\n{}",
                entry.name().unwrap_or_default(),
                entry.size(),
                text.trim_end()
            );
        }
        self.tell(&shown);
        Ok(())
    }

    fn tell(&self, text: &str) {
        if self.is_raw {
            return;
        }
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "\n{text}").and_then(|()| out.flush());
    }
}
