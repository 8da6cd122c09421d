//! What goes wrong ends: no command hangs, and the requester reads the official cause.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use engine::{
    Engine,
    testing::{self, Registry},
};
use iexec_tests::{app::Image, archive::Archive, bench::Bench, cast::Cast, files::FileServer};
use network::Role;
use protocol::B256;
use serde_json::{Value, json};

use crate::{keys, net::Net, person::Person};

/// A developer who runs their own faulty apps.
struct Scene {
    net: Net,
    engine: Arc<dyn Engine>,
    person: Person,
}

impl Scene {
    async fn new(bench: &Bench) -> Result<Self> {
        let net = Net::up(&bench.data_dir(), bench.choice).await?;
        let mut config = engine::Config::new(bench.choice, bench.data_dir().join("engine"));
        config.helper = testing::helper();
        let engine = engine::detect(&config).await?;
        let person = Person::new(&bench.data_dir())?;
        person.raw("init --skip-wallet").await?;
        person.import(&net.key(Role::Developer)?).await?;
        person.raw("app init").await?;
        Ok(Self {
            net,
            engine,
            person,
        })
    }

    /// Deploys an app of an image that is here already, or of any other name.
    async fn deploy(&self, name: &str, image: &str, checksum: Value) -> Result<()> {
        let app = [
            ("name", json!(name)),
            ("multiaddr", json!(image)),
            ("checksum", checksum),
        ];
        self.person.edit_app(&app)?;
        self.person.raw("app deploy --chain local").await.map(drop)
    }

    async fn deploy_script(&self, name: &str, script: &str) -> Result<()> {
        let image = Image::of_script(&self.engine, &format!("tutorial-{name}"), script).await?;
        self.deploy(name, &image.name, Value::Null).await
    }

    /// Runs the app deployed last; the task that failed.
    async fn run_fails(&self, options: &str, cause: &str) -> Result<String> {
        let run = format!("app run --watch --chain local {options}");
        let raw = self.person.raw_fails(&run).await?;
        keys::check(&raw["deals"][0], "dealid volume txHash")?;
        ensure!(
            raw["failedTasks"][0]["taskid"] == raw["tasks"][0]["taskid"],
            "{raw}"
        );
        ensure!(
            raw["error"]["message"].to_string().contains(cause),
            "no {cause} in {raw}"
        );
        task_of(&raw)
    }

    /// What `task debug --raw` says went wrong, of the task or of its worker.
    async fn cause(&self, task: &str, cause: &str, message: &str) -> Result<()> {
        let raw = self
            .person
            .raw(&format!("task debug {task} --chain local"))
            .await?;
        let offchain = &raw["offchainData"];
        let histories = [&offchain["task"], &offchain["replicates"][0]];
        let mut changes = histories
            .into_iter()
            .filter_map(|it| it["statusHistory"].as_array())
            .flatten();
        let is_told = changes.any(|change| {
            let told = change["message"].as_str().unwrap_or_default();
            change["cause"] == cause && told.contains(message)
        });
        ensure!(is_told, "no {cause} with `{message}` in {raw:#}");
        let words = self
            .person
            .iexec(&format!("task debug {task} --chain local"))
            .await?;
        words.expect(cause)
    }

    async fn fails(&self, name: &str, script: &str, cause: &str, message: &str) -> Result<()> {
        self.deploy_script(name, script).await?;
        let task = self.run_fails("", cause).await?;
        self.cause(&task, cause, message).await?;
        let download = format!("task show {task} --download --chain local");
        self.person
            .raw_fails(&download)
            .await
            .with_context(|| name.to_owned())
            .map(drop)
    }

    /// A download that fails is itself the result, contributed and paid; but no success.
    async fn error_is_the_result(&self, task: &str, cause: &str) -> Result<()> {
        let show = format!("task show {task} --download result --chain local");
        self.person
            .iexec(&show)
            .await?
            .expect("the app could not run")?;
        let shown = self.person.raw(&show).await?;
        ensure!(shown["task"]["statusName"] == "COMPLETED", "{shown}");
        let result = std::fs::read(self.person.project().join("result.zip"))?;
        let result = Archive::unzip(&result)?;
        ensure!(result.text("error.txt")?.contains(cause), "{result:?}");
        Ok(())
    }
}

fn task_of(run: &Value) -> Result<String> {
    let task = run["tasks"][0]["taskid"].as_str();
    Ok(task
        .with_context(|| format!("no task in {run}"))?
        .to_owned())
}

/// One network for all: starting one is most of the work.
pub(crate) async fn all(bench: Bench) -> Result<()> {
    let scene = Scene::new(&bench).await?;
    apps_that_fail(&scene).await?;
    deadline_and_claim(&scene).await.context("deadline")?;
    input_file_404(&scene).await.context("input file")?;
    missing_image(&scene).await.context("missing image")?;
    wrong_digest(&bench, &scene).await.context("wrong digest")?;
    confidential(&scene).await.context("confidential")?;
    scene.net.down().await
}

async fn apps_that_fail(scene: &Scene) -> Result<()> {
    let not_found = "DETERMINISM_HASH_NOT_FOUND";
    scene
        .fails(
            "forgetful",
            "echo 1 > $IEXEC_OUT/x",
            not_found,
            "computed.json",
        )
        .await?;
    let failed = "APP_COMPUTE_FAILED";
    scene
        .fails("sorry", "echo sorry >&2; exit 1", failed, "exit code 1")
        .await?;
    let leaves = "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED";
    let script = "declare_result /iexec_out/../etc/passwd";
    scene
        .fails("escape", script, leaves, "leaves /iexec_out")
        .await?;
    let script = "busybox ln -s /etc/passwd $IEXEC_OUT/x; declare_result /iexec_out/x";
    scene.fails("link", script, leaves, "symbolic link").await
}

/// Category 5 is for this: a task can be claimed ten seconds after its deal.
async fn deadline_and_claim(scene: &Scene) -> Result<()> {
    scene.deploy_script("sleeper", "sleep 600").await?;
    let task = scene
        .run_fails("--category 5", "APP_COMPUTE_TIMEOUT")
        .await?;
    scene.cause(&task, "APP_COMPUTE_TIMEOUT", "").await?;
    scene.net.rpc("evm_increaseTime", json!([10])).await?;
    scene.net.rpc("evm_mine", json!([])).await?;
    let show = format!("task show {task} --chain local");
    let late = scene.person.raw(&show).await?;
    ensure!(
        late["claimable"] == true && late["task"]["statusName"] == "TIMEOUT",
        "{late}"
    );
    let claimed = scene
        .person
        .raw(&format!("task claim {task} --chain local"))
        .await?;
    keys::check(&claimed, "ok txHash")?;
    let done = scene.person.raw(&show).await?;
    ensure!(
        done["claimable"] == false && done["task"]["statusName"] == "FAILED",
        "{done}"
    );
    scene
        .person
        .raw_fails(&format!("task claim {task} --chain local"))
        .await
        .map(drop)
}

async fn input_file_404(scene: &Scene) -> Result<()> {
    let files = FileServer::start(&[]).await?;
    let url = files.url("missing.txt");
    let cause = "INPUT_FILES_DOWNLOAD_FAILED";
    scene.deploy_script("reader", "exit 0").await?;
    let task = scene
        .run_fails(&format!("--input-files {url}"), cause)
        .await?;
    scene.error_is_the_result(&task, cause).await?;
    scene.cause(&task, cause, &url).await
}

/// Nobody listens there, so it cannot be looked up when it is deployed either.
async fn missing_image(scene: &Scene) -> Result<()> {
    let image = "127.0.0.1:1/nobody/nothing:1.0.0";
    scene
        .person
        .edit_app(&[("multiaddr", json!(image)), ("checksum", Value::Null)])?;
    let refused = scene.person.raw_fails("app deploy --chain local").await?;
    ensure!(
        refused["error"]["message"].to_string().contains(image),
        "{refused}"
    );
    scene
        .deploy("missing", image, json!(B256::repeat_byte(7)))
        .await?;
    let cause = "APP_IMAGE_DOWNLOAD_FAILED";
    let task = scene.run_fails("", cause).await?;
    scene.error_is_the_result(&task, cause).await?;
    scene.cause(&task, cause, "nobody/nothing").await
}

/// An app that somebody deployed without our command: the chain says another digest than the tag.
async fn wrong_digest(bench: &Bench, scene: &Scene) -> Result<()> {
    let registry = match Registry::start() {
        Ok(registry) => registry,
        Err(reason) => {
            testing::skip(bench.test, &reason);
            return Ok(());
        }
    };
    let image = testing::busybox().map_err(|reason| anyhow!(reason))?;
    let pushed = registry.push(&image, "wrong/digest:1").await;
    let (name, digest) = pushed.map_err(|reason| anyhow!(reason))?;
    let wrong = B256::repeat_byte(9);
    ensure!(digest.0 != wrong.0, "it is right by accident");
    let cast = Cast::local(&scene.net.info, scene.engine.clone()).await?;
    let image = Image {
        name: name.to_string(),
        checksum: wrong,
    };
    let app = image.deploy(&cast.developer).await?;
    let cause = "APP_IMAGE_DOWNLOAD_FAILED";
    let task = scene.run_fails(&app.to_string(), cause).await?;
    scene.error_is_the_result(&task, cause).await?;
    scene.cause(&task, cause, "wrong/digest").await
}

/// With the tag of the published SDK, in an enclave: what its app did wrong is told all the same.
async fn confidential(scene: &Scene) -> Result<()> {
    scene.deploy_script("confidential", "exit 3").await?;
    let cause = "APP_COMPUTE_FAILED";
    let task = scene.run_fails("--tag tee,tdx", cause).await?;
    scene.cause(&task, cause, "exit code 3").await
}
