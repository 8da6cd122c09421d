//! One version of the official package beside a network of its own.

use std::{future::Future, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use engine::Choice;
use iexec_tests::{
    app::Image,
    bench::{self, Bench, World},
    tools,
};
use network::{Role, local_wallet};
use protocol::Address;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::process::Command;

/// No story takes so long on two busy cores: what does, hangs.
const STORY_MAX: Duration = Duration::from_secs(280);
/// The same for one run of Node.
const NODE_MAX: Duration = Duration::from_secs(150);
/// Workers of the network: two tasks at once each are enough for a bag of five.
const WORKERS: u32 = 2;

/// What a story is played with.
#[derive(Debug)]
pub(crate) struct Official {
    /// The network.
    pub(crate) world: World,
    /// E.g. `9.0.1`.
    pub(crate) version: &'static str,
    /// The name of the test.
    pub(crate) test: &'static str,
    package: PathBuf,
}

/// Plays one story on a new network, or skips it by name.
pub(crate) async fn play<F>(
    test: &'static str,
    version: &'static str,
    story: impl FnOnce(Official) -> F,
) where
    F: Future<Output = Result<()>>,
{
    let package = tools::npm().and_then(|()| tools::npm_package("iexec", version));
    let Some(package) = tools::need(test, package) else {
        return;
    };
    let scene = |bench: Bench| async move {
        let official = Official {
            world: bench.network(WORKERS).await?,
            version,
            test,
            package,
        };
        let played = story(official).await;
        drop(bench);
        played
    };
    bench::play_within(STORY_MAX, test, Choice::Builtin, scene).await;
}

impl Official {
    /// Whether this version leaves the tags of orders to its user.
    pub(crate) fn is_old(&self) -> bool {
        self.version.starts_with("8.")
    }

    /// The tag of every order that a story makes.
    pub(crate) fn tag(&self) -> &'static str {
        if self.is_old() {
            "0x0000000000000000000000000000000000000000000000000000000000000000"
        } else {
            "0x0000000000000000000000000000000000000000000000000000000000000009"
        }
    }

    /// The program of the package.
    pub(crate) fn program(&self) -> PathBuf {
        self.package.join("dist/esm/cli/cmd/iexec.js")
    }

    /// The chain of our network as a chain.json of this version says it.
    pub(crate) fn chain_json(&self) -> Value {
        let info = self.world.network.info();
        let mut chain = json!({
            "id": info.chain_id.to_string(),
            "host": info.rpc_url,
            "hub": info.hub.to_checksum(None),
            "sms": info.sms,
            "iexecGateway": info.market,
            "ipfsGateway": info.ipfs_gateway,
            "compass": info.compass,
        });
        if self.is_old() {
            chain["resultProxy"] = json!(info.result_proxy);
            chain["native"] = json!(info.native);
            chain["useGas"] = json!(true);
        }
        json!({ "default": "ours", "chains": { "ours": chain } })
    }

    /// An app of a shell script, owned by the developer.
    pub(crate) async fn app(&self, script: &str) -> Result<Address> {
        let cast = &self.world.cast;
        let image = Image::of_script(&cast.engine, self.test, script).await?;
        image.deploy(&cast.developer).await
    }

    /// Puts a file on the network's IPFS node; where it is then.
    pub(crate) async fn add(&self, content: Vec<u8>) -> Result<String> {
        let cast = &self.world.cast;
        let part = reqwest::multipart::Part::bytes(content).file_name("data");
        let form = reqwest::multipart::Form::new().part("file", part);
        let url = format!("{}/api/v0/add?cid-version=0", cast.origin);
        let answer = cast.http.post(url).multipart(form).send().await?;
        let added: Value = answer.error_for_status()?.json().await?;
        let cid = added["Hash"].as_str().context("no CID")?;
        Ok(format!("/ipfs/{cid}"))
    }

    /// An app that no task of the story runs.
    pub(crate) async fn idle_app(&self) -> Result<Address> {
        self.app("exit 1").await
    }

    /// Plays a script that uses the library, and reads what it tells.
    pub(crate) async fn script<T: DeserializeOwned>(&self, name: &str, extra: Value) -> Result<T> {
        let mut given = json!({
            "library": self.package,
            "version": self.version,
            "network": self.world.network.info(),
        });
        if let (Some(given), Value::Object(extra)) = (given.as_object_mut(), extra) {
            given.extend(extra);
        }
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("javascript");
        let mut command = Command::new("node");
        command
            .arg(folder.join("kit.mjs"))
            .args([name, &given.to_string()]);
        let answer = run(&mut command).await?;
        if !answer.is_success {
            bail!("{name}: {}{}", answer.stdout, answer.stderr);
        }
        let said = &answer.stdout;
        serde_json::from_str(said).with_context(|| format!("{name} says {said}"))
    }
}

/// The key of an account of the network, as Node wants it.
pub(crate) fn key(role: Role) -> String {
    local_wallet(role, 0).key().to_string()
}

/// The address of an account of the network.
pub(crate) fn address(role: Role) -> Address {
    local_wallet(role, 0).address()
}

/// What a process said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) is_success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a process without input to its end, or to ours.
pub(crate) async fn run(command: &mut Command) -> Result<Answer> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(NODE_MAX, command.output()).await;
    let output = output.with_context(|| format!("{command:?} hangs"))??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Answer {
        is_success: output.status.success(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    })
}
