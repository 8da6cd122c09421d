//! The tutorial's image: a real Node.js and figlet, made of what this machine has.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use engine::{Choice, testing};
use iexec_tests::tools;
use tempfile::TempDir;
use testing::{Registry, TestImage};

/// Does what the tutorial's `src/app.js` does.
const APP_JS: &str = include_str!("app.js");
/// The tutorial's Dockerfile with another base: no registry can be asked for `node:14`, so the
/// base has the packages already that the tutorial installs.
const DOCKERFILE: &str = r#"FROM iexec-tests/node:14
COPY ./src /app
ENTRYPOINT [ "node", "/app/app.js"]
"#;
const BASE: &str = "iexec-tests/node:14";
const TAG: &str = "iexec-tests/my-hello-world";

/// Node.js of this machine, or why there is none.
pub(crate) fn figlet() -> Result<PathBuf> {
    tools::npm()?;
    tools::npm_package("figlet", "1")
}

/// What figlet makes of `text` without any of us in between.
pub(crate) fn drawn(figlet: &Path, text: &str) -> Result<String> {
    let script = "process.stdout.write(require(process.argv[1]).textSync(process.argv[2]))";
    run(Command::new("node")
        .args(["-e", script])
        .arg(figlet)
        .arg(text))
}

/// The image in a registry of its own.
pub(crate) struct Pushed {
    /// `127.0.0.1:<port>/my-hello-world:1.0.0`.
    pub(crate) name: String,
    /// Its checksum on chain: the digest with 0x.
    pub(crate) checksum: String,
    choice: Choice,
    _registry: Registry,
}

impl Drop for Pushed {
    fn drop(&mut self) {
        if self.choice != Choice::Builtin {
            // What the worker pulled: the daemon would keep it for ever.
            let (name, _) = self.name.rsplit_once(':').unwrap_or_default();
            let pulled = format!("{name}@{}", self.checksum.replace("0x", "sha256:"));
            let _ = docker(&["rmi", "--force", &pulled]);
        }
    }
}

/// Builds and pushes it: with Docker as the tutorial does, without Docker by our own hand.
pub(crate) async fn push(choice: Choice, figlet: &Path) -> Result<Pushed> {
    let registry = Registry::start().map_err(|reason| anyhow!(reason))?;
    let base = with_node(figlet)?;
    let (name, digest) = match choice {
        Choice::Builtin => {
            let mut image = base.with_file("/app/app.js", APP_JS);
            image.entrypoint = vec!["node".to_owned(), "/app/app.js".to_owned()];
            let pushed = registry.push(&image, "my-hello-world:1.0.0").await;
            let (name, digest) = pushed.map_err(|reason| anyhow!(reason))?;
            (name.to_string(), digest.to_string())
        }
        _ => {
            let engine = testing::docker("tutorial_on_docker")
                .await
                .context("no Docker")?;
            engine.import(base.archive()?, BASE).await?;
            let name = format!("{}/my-hello-world:1.0.0", registry.address());
            let digest = build_and_push(&name)?;
            (name, digest)
        }
    };
    let checksum = digest.replace("sha256:", "0x");
    Ok(Pushed {
        name,
        checksum,
        choice,
        _registry: registry,
    })
}

/// The tutorial's `docker build`, `docker tag` and `docker push`; nothing stays in the daemon,
/// so that whoever runs the image has to pull it.
fn build_and_push(name: &str) -> Result<String> {
    let folder = TempDir::new()?;
    fs::create_dir(folder.path().join("src"))?;
    fs::write(folder.path().join("src/app.js"), APP_JS)?;
    fs::write(folder.path().join("Dockerfile"), DOCKERFILE)?;
    docker(&["build", &folder.path().to_string_lossy(), "--tag", TAG])?;
    docker(&["tag", TAG, name])?;
    let said = docker(&["push", name])?;
    docker(&["rmi", TAG, name, BASE])?;
    let (_, digest) = said
        .split_once("digest: ")
        .with_context(|| format!("no digest: {said}"))?;
    Ok(digest
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn docker(args: &[&str]) -> Result<String> {
    // The plain builder: the newer one is a plugin that a daemon may lack.
    run(Command::new("docker")
        .args(args)
        .env("DOCKER_BUILDKIT", "0"))
}

/// Busybox with Node.js, the libraries it is linked to, and `/app/node_modules`.
fn with_node(figlet: &Path) -> Result<TestImage> {
    let node = run(Command::new("node").args(["-p", "process.execPath"]))?;
    let node = node.trim();
    let mut image = testing::busybox().map_err(|reason| anyhow!(reason))?;
    image = image.with_program("/bin/node", Path::new(node))?;
    let modules = figlet.parent().context("figlet is in no folder")?;
    let mut folders = vec![modules.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() && path.file_name() != Some(OsStr::new(".bin")) {
                folders.push(path);
            } else if kind.is_file() {
                let inside = path.strip_prefix(modules)?.display();
                image = image.with_file(&format!("/app/node_modules/{inside}"), fs::read(&path)?);
            }
        }
    }
    Ok(image)
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}
