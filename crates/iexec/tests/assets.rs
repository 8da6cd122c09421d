//! The real binary, without any network: projects of apps, datasets and workerpools, and the
//! encryption of datasets.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test may panic like the test"
)]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Output};

use sdk::dataset::{Key, cipher};
use serde_json::{Value, json};
use snapbox::cmd::Command;
use tempfile::TempDir;

const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// A project folder with a home of its own, `iexec.json` and a wallet.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.raw("init --skip-wallet");
        project.raw(&format!("wallet import {KEY} --unencrypted"));
        project
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        Command::new(snapbox::cmd::cargo_bin!("iexec"))
            .env_clear()
            .env("HOME", self.path("home"))
            .current_dir(self.0.path())
            .args(line.split(' '))
            .output()
            .unwrap()
    }

    /// The line of a success.
    fn raw(&self, line: &str) -> Value {
        let output = self.run(&format!("{line} --raw"));
        assert!(output.status.success(), "{line}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The error of a failure: exit code 1, one line.
    fn error(&self, line: &str) -> Value {
        let output = self.run(&format!("{line} --raw"));
        assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let mut said: Value = serde_json::from_slice(&output.stderr).unwrap();
        said["error"].take()
    }

    /// What people read on stderr.
    fn said(&self, line: &str) -> String {
        String::from_utf8(self.run(line).stderr).unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_sections_are_the_official_ones() {
    let project = Project::new();
    let zero = format!("0x{}", "0".repeat(64));
    let dataset = json!({
        "owner": ADDRESS,
        "name": "my-dataset",
        "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
        "checksum": zero,
    });
    let made = project.raw("dataset init");
    let expected = json!({ "ok": true, "dataset": dataset });
    assert_eq!(made.to_string(), expected.to_string());
    let pool = json!({ "owner": ADDRESS, "description": "my-workerpool" });
    let made = project.raw("workerpool init");
    let expected = json!({ "ok": true, "workerpool": pool });
    assert_eq!(made.to_string(), expected.to_string());
    let file: Value = serde_json::from_str(&project.text("iexec.json")).unwrap();
    assert_eq!((&file["dataset"], &file["workerpool"]), (&dataset, &pool));
    assert!(
        !project.path("datasets").exists(),
        "nobody asked for folders"
    );
}

#[test]
fn options_of_version_8_are_taken_with_a_warning() {
    let project = Project::new();
    let said = project.said("app init --tee --tee-framework tdx");
    assert!(said.contains("--tee-framework is no longer used"), "{said}");
    assert!(said.contains("--tee is no longer used"), "{said}");
    project.raw("app init --tee-framework scone");
    for command in [
        "dataset check-secret",
        "dataset push-secret",
        "app push-secret",
    ] {
        let help = project.run(&format!("{command} --tee-framework tdx --help"));
        assert!(help.status.success(), "{command}: {help:?}");
    }
}

#[test]
fn deploying_needs_a_section_and_its_fields() {
    let project = Project::new();
    for kind in ["app", "dataset", "workerpool"] {
        let error = project.error(&format!("{kind} deploy"));
        let message = format!(
            "Missing {kind} in \"iexec.json\". Did you forget to run \"iexec {kind} init\"?"
        );
        assert_eq!(error["message"], message);
    }
    project.write("iexec.json", br#"{"dataset":{"name":"n"},"workerpool":{}}"#);
    let hint = |line| project.error(line)["hint"].to_string();
    assert!(hint("dataset deploy").contains("dataset.multiaddr"));
    assert!(hint("workerpool deploy").contains("workerpool.description"));
}

#[test]
fn datasets_are_encrypted_each_with_its_key() {
    let project = Project::new();
    project.raw("dataset init --encrypted");
    let empty = project.error("dataset encrypt");
    assert!(empty["message"].to_string().contains("nothing to encrypt"));
    let long = vec![7; 100_000];
    project.write("datasets/original/a.txt", b"first");
    project.write("datasets/original/b.bin", &long);
    fs::create_dir(project.path("datasets/original/more")).unwrap();
    let raw = project.raw("dataset encrypt");
    let keys: Vec<_> = raw.as_object().unwrap().keys().collect();
    let expected = [
        "ok",
        "encryptedDatasetFolderPath",
        "secretPath",
        "encryptedFiles",
    ];
    assert_eq!(keys, expected);
    let files = raw["encryptedFiles"].as_array().unwrap();
    assert_eq!(files.len(), 2, "{raw}");
    for (file, content) in files.iter().zip([b"first".as_slice(), &long]) {
        let keys: Vec<_> = file.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["original", "encrypted", "key", "checksum"]);
        let path = |key: &str| Path::new(file[key].as_str().unwrap()).to_owned();
        assert_eq!(fs::read(path("original")).unwrap(), content);
        assert_eq!(mode(&path("key")), 0o600);
        let text = fs::read_to_string(path("key")).unwrap();
        assert_eq!(text.len(), 44, "{text}");
        let encrypted = fs::read(path("encrypted")).unwrap();
        let opened = cipher::decrypt(&Key::parse(&text).unwrap(), &encrypted);
        assert_eq!(opened.unwrap(), content);
        let sum = cipher::checksum(&mut encrypted.as_slice()).unwrap();
        assert_eq!(file["checksum"], sum.to_string());
    }
    assert_eq!(mode(&project.path(".secrets/datasets/dataset.key")), 0o600);
    let last = project.text(".secrets/datasets/dataset.key");
    assert_eq!(last, project.text(".secrets/datasets/b.bin.key"));
    let listed = fs::read_dir(project.path("datasets/encrypted")).unwrap();
    assert_eq!(listed.count(), 2, "something is left over");
}

#[test]
fn keys_are_overwritten_only_on_demand() {
    let project = Project::new();
    project.raw("dataset init --tee");
    project.write("datasets/original/a.txt", b"first");
    project.raw("dataset encrypt");
    let key = project.text(".secrets/datasets/a.txt.key");
    let error = project.error("dataset encrypt");
    assert_eq!(error["name"], "ExitPromptError");
    assert_eq!(error["hint"], "use --force");
    assert!(
        error["message"].to_string().contains("a.txt.key"),
        "{error}"
    );
    assert_eq!(project.text(".secrets/datasets/a.txt.key"), key);
    project.raw("dataset encrypt --force");
    assert_ne!(project.text(".secrets/datasets/a.txt.key"), key);
}

/// The key of a file called `dataset` is called like the copy of the last key.
#[test]
fn no_key_is_lost_behind_the_copy_of_the_last() {
    let project = Project::new();
    project.raw("dataset init --encrypted");
    project.write("datasets/original/dataset", b"mine");
    project.write("datasets/original/other", b"too");
    project.raw("dataset encrypt");
    let key = Key::parse(&project.text(".secrets/datasets/dataset.key")).unwrap();
    let encrypted = fs::read(project.path("datasets/encrypted/dataset.enc")).unwrap();
    assert_eq!(cipher::decrypt(&key, &encrypted).unwrap(), b"mine");
}

#[test]
fn folders_may_be_elsewhere_but_must_exist() {
    let project = Project::new();
    let error = project.error("dataset encrypt");
    assert_eq!(error["hint"], "run `iexec dataset init --encrypted` first");
    let options = "--dataset-keystoredir k --original-dataset-dir ./o --encrypted-dataset-dir e";
    project.raw(&format!("dataset init --encrypted {options}"));
    project.write("o/x", b"content");
    let raw = project.raw(&format!("dataset encrypt {options}"));
    let key = project.path("k/x.key").canonicalize().unwrap();
    let named = raw["encryptedFiles"][0]["key"].as_str().unwrap();
    assert_eq!(Path::new(named).canonicalize().unwrap(), key);
    assert!(Path::new(named).is_absolute() && !named.contains("/./"));
    assert!(project.path("e/x.enc").is_file() && !project.path("datasets").exists());
}

#[test]
fn a_key_to_push_must_be_one() {
    let project = Project::new();
    let error = project.error(&format!("dataset push-secret {ADDRESS}"));
    assert!(
        error["message"].to_string().contains("dataset.key"),
        "{error}"
    );
    assert!(error["hint"].to_string().contains("iexec dataset encrypt"));
    project.write("k", b"not-a-key");
    let error = project.error(&format!("dataset push-secret {ADDRESS} --secret-path k"));
    assert_eq!(error["name"], "ValidationError");
    assert!(!error.to_string().contains("not-a-key"), "{error}");
}

/// What is read after the price shows that the price was understood.
#[test]
fn a_price_does_not_swallow_the_address() {
    let project = Project::new();
    let publish = |words: &str| {
        let line = format!("app publish {words} --chain local");
        project.error(&line).to_string()
    };
    let unreachable = publish(ADDRESS);
    assert!(unreachable.contains("no local network is running"));
    assert_eq!(publish(&format!("--price 1 RLC {ADDRESS}")), unreachable);
    assert_eq!(publish(&format!("--price 1 {ADDRESS}")), unreachable);
    assert_eq!(publish(&format!("{ADDRESS} --price 1 nRLC")), unreachable);
    assert!(publish("--price 1 rlc").contains("1 rlc"));
    assert!(publish("--volume many").contains("--volume"));
    assert!(publish("--dataset-restrict me").contains("--dataset-restrict"));
    assert!(publish("--tag nonsense").contains("nonsense"));
    assert!(publish("--tag tee").contains("tdx"));
    let trust = project.error("workerpool publish --trust high --chain local");
    assert!(trust.to_string().contains("--trust"), "{trust}");
}

#[test]
fn a_transfer_names_its_heir() {
    let project = Project::new();
    let output = project.run(&format!("dataset transfer {ADDRESS}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--to"));
    let error = project.error(&format!("workerpool transfer {ADDRESS} --to bob"));
    assert_eq!(error["message"], "bob is not a valid ethereum address");
    assert_eq!(error["hint"], "correct --to");
}
