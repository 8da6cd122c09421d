//! One program, one network, one person: two of these are equal but for the program.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use engine::Choice;
use iexec_tests::bench;
use network::{Info, Network};
use protocol::args;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    mask::Masks,
    outcome::{self, Files},
    row::{Edit, Row, Story},
};

/// How the program is started.
#[derive(Clone, Debug)]
pub(crate) struct Program(pub(crate) Vec<OsString>);

impl Program {
    /// The one under test.
    pub(crate) fn ours() -> Self {
        Self(vec![env!("CARGO_BIN_EXE_iexec").into()])
    }

    /// The official one, from its package.
    pub(crate) fn official(package: &Path) -> Self {
        let script = package.with_file_name(".bin").join("iexec");
        Self(vec!["node".into(), script.into()])
    }
}

/// A running network and a folder in it.
#[derive(Debug)]
pub(crate) struct World {
    program: Program,
    folder: TempDir,
    network: Network,
    values: HashMap<String, String>,
    masks: Masks,
}

impl World {
    /// A fresh network, and a project folder with its chain and the wallet of the story's person.
    pub(crate) async fn new(program: Program, story: &Story) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir()?;
        let builder = bench::builder(&folder.path().join("network"), Choice::Builtin);
        let network = builder.workers(story.workers).start().await?;
        let values = values(network.info(), story)?;
        let masks = masks(folder.path(), network.info());
        let world = Self {
            program,
            folder,
            network,
            values,
            masks,
        };
        fs::create_dir(world.project())?;
        world.prepare()?;
        Ok(world)
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn prepare(&self) -> Result<()> {
        let chain = json!({ "default": "dev", "chains": { "dev": chain(self.network.info()) } });
        let wallet = json!({
            "privateKey": self.values["key"], "publicKey": "", "address": self.values["me"] });
        fs::write(self.project().join("chain.json"), chain.to_string())?;
        fs::write(self.project().join("wallet.json"), wallet.to_string())?;
        Ok(())
    }

    /// Runs a row and masks what comes of it.
    pub(crate) fn play(&mut self, number: usize, row: &Row) -> Result<Value> {
        self.masks.start_row(number);
        for edit in &row.edits {
            self.edit(edit)?;
        }
        let line = fill(row.line, &self.values)?;
        let before = self.files()?;
        let output = self.run(&args::split(&line))?;
        let outcome = outcome::outcome(&output, &before, &self.files()?);
        for (name, pointer) in &row.keeps {
            if let Some(Value::String(value)) = outcome["stdout"].pointer(pointer) {
                self.values.insert((*name).to_owned(), value.clone());
            }
        }
        Ok(self.masks.value(&outcome))
    }

    fn run(&self, words: &[String]) -> Result<Output> {
        let (program, first) = self.program.0.split_first().context("no program")?;
        let mut command = Command::new(program);
        command.args(first).args(words).arg("--raw");
        command
            .env_clear()
            .env("HOME", self.home())
            .current_dir(self.project());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Ok(command.stdin(Stdio::null()).output()?)
    }

    fn files(&self) -> Result<Files> {
        let mut found = Files::new();
        outcome::files(&self.project(), "", &mut found)?;
        let keystore = self.home().join(".ethereum/keystore");
        outcome::files(&keystore, "~/.ethereum/keystore/", &mut found)?;
        Ok(found)
    }

    fn edit(&self, edit: &Edit) -> Result<()> {
        let path = |name: &str| self.project().join(name);
        match edit {
            Edit::Remove(name) => fs::remove_file(path(name))?,
            Edit::Write(name, text) => {
                let path = path(name);
                fs::create_dir_all(path.parent().context("no folder")?)?;
                fs::write(path, fill(text, &self.values)?)?;
            }
            Edit::Set(name, pointer, value) => {
                let text = fs::read_to_string(path(name)).with_context(|| format!("no {name}"))?;
                let mut file: Value = serde_json::from_str(&text)?;
                let value = fill(&value.to_string(), &self.values)?;
                put(&mut file, pointer, serde_json::from_str(&value)?)?;
                fs::write(path(name), serde_json::to_string_pretty(&file)?)?;
            }
        }
        Ok(())
    }

    /// Ends the network.
    pub(crate) async fn stop(self) {
        self.network.stop().await;
    }
}

/// Sets or, with null, removes the value at a pointer; its parent must exist.
pub(crate) fn put(file: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        *file = value;
        return Ok(());
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    let parent = file.pointer_mut(parent);
    match parent.with_context(|| format!("nothing at {pointer}"))? {
        Value::Object(map) if value.is_null() => drop(map.shift_remove(&key)),
        Value::Object(map) => drop(map.insert(key, value)),
        Value::Array(list) => {
            *list
                .get_mut(key.parse::<usize>()?)
                .context("no such item")? = value
        }
        other => bail!("{pointer} is in {other}"),
    }
    Ok(())
}

/// The chain as both programs read it in chain.json.
fn chain(info: &Info) -> Value {
    let url = &info.rpc_url;
    json!({ "id": info.chain_id.to_string(), "host": url, "hub": info.hub.to_checksum(None),
        "sms": url, "iexecGateway": url, "ipfsGateway": url, "compass": url })
}

fn role(account: &network::Account) -> Result<String> {
    let role = serde_json::to_value(account.role)?;
    Ok(role.as_str().unwrap_or_default().to_owned())
}

/// The placeholders known from the start.
fn values(info: &Info, story: &Story) -> Result<HashMap<String, String>> {
    let mut values = HashMap::from([
        ("chain".to_owned(), chain(info).to_string()),
        ("hub".to_owned(), info.hub.to_checksum(None)),
        ("pool".to_owned(), info.workerpool.to_checksum(None)),
        ("origin".to_owned(), info.rpc_url.clone()),
    ]);
    for account in &info.accounts {
        let address = account.address.to_checksum(None);
        if account.role == story.who {
            values.insert("key".to_owned(), account.private_key.to_string());
            values.insert("me".to_owned(), address.clone());
        }
        values.insert(role(account)?, address);
    }
    ensure!(values.contains_key("me"), "no {:?}", story.who);
    Ok(values)
}

fn masks(folder: &Path, info: &Info) -> Masks {
    let path = |name: &str| folder.join(name).display().to_string();
    let texts = vec![
        (path("project"), "<project>"),
        (path("home"), "<home>"),
        (info.rpc_url.clone(), "<origin>"),
    ];
    let mut known = vec![
        (info.hub.to_string(), "hub".to_owned()),
        (info.workerpool.to_string(), "pool".to_owned()),
    ];
    for account in &info.accounts {
        let name = role(account).unwrap_or_default();
        known.push((account.private_key.to_string(), format!("{name}'s key")));
        known.push((account.address.to_string(), name));
    }
    Masks::new(texts, &known)
}

/// Puts values in the place of `{names}`; a name nothing was kept under is an error.
fn fill(text: &str, values: &HashMap<String, String>) -> Result<String> {
    let mut filled = text.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    let left = filled.split('{').skip(1).find_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_name.then(|| name.to_owned())
    });
    match left {
        Some(name) => bail!("no earlier row gave a value for {{{name}}}"),
        None => Ok(filled),
    }
}
