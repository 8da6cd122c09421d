//! The real binary without any network: completion, manual, doctor, the opening of results, and
//! what is refused before anybody is asked.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test may panic like the test"
)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const SOMEBODY: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// A project folder with a home of its own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a plain wallet.
    fn with_wallet() -> Self {
        let folder = Self::new();
        folder.success(&["wallet", "import", KEY, "--unencrypted", "--raw"]);
        folder
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_iexec"))
            .env_clear()
            .env("HOME", self.0.path().join("home"))
            // The same everywhere: the built-in engine, which misses the programs of a PATH.
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .args(args)
            .output()
            .unwrap()
    }

    fn success(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// One line of JSON on stderr, nothing on stdout, exit code 1.
    fn raw_error(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--raw"]].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stderr).unwrap()
    }
}

fn vector(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/vectors");
    fs::read(format!("{folder}/{name}")).unwrap()
}

#[test]
fn every_shell_has_a_completion_script_and_bash_reads_its_own() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = folder.success(&["completion", shell]);
        assert!(script.contains("send-RLC"), "{shell}: {script:.200}");
    }
    let script = folder.success(&["completion", "bash"]);
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = bash.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    assert!(bash.wait().unwrap().success());
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let folder = Folder::new();
    let page = folder.success(&["man"]);
    assert!(
        page.contains(".TH iexec 1") && page.contains("wallet"),
        "{page:.300}"
    );
    folder.success(&["man", "--out", "pages"]);
    let page = fs::read_to_string(folder.0.path().join("pages/iexec-app-run.1")).unwrap();
    assert!(page.contains("input\\-files"), "{page:.300}");
}

#[test]
fn what_is_not_offered_says_why() {
    let folder = Folder::new();
    let message = |args: &[&str]| {
        let error = folder.raw_error(args);
        assert!(error["error"]["hint"].is_string(), "{error}");
        error["error"]["message"].as_str().unwrap().to_owned()
    };
    let voucher = message(&["voucher", "authorize", SOMEBODY, "--chain", "bellecour"]);
    assert!(voucher.starts_with("vouchers are not offered"), "{voucher}");
    for way in ["bridge-to-sidechain", "bridge-to-mainchain"] {
        let bridge = message(&["wallet", way, "1", "RLC", "--force"]);
        assert!(bridge.starts_with("the bridge is not offered"), "{bridge}");
    }
}

#[test]
fn bad_amounts_and_receivers_are_refused_before_anybody_is_asked() {
    let folder = Folder::with_wallet();
    let cases: [(&[&str], &str); 9] = [
        (
            &["wallet", "send-RLC", "1.5", "nRLC", "--to", SOMEBODY],
            "1.5 nRLC",
        ),
        (&["wallet", "send-RLC", "abc", "--to", SOMEBODY], "abc"),
        (
            &["wallet", "sendRLC", "0.5", "--to", SOMEBODY],
            "0.5  is not",
        ),
        (
            &["wallet", "send-ether", "1", "nope", "--to", SOMEBODY],
            "1 nope",
        ),
        (&["wallet", "send-ether", "1", "--to", "0x12"], "0x12"),
        (&["wallet", "send-ether", "1"], "Missing --to"),
        (&["wallet", "sweep", "--to", "0x12"], "0x12"),
        (&["account", "approve", "abc", SOMEBODY], "abc"),
        (
            &["account", "deposit", "1", "--confirms", "0"],
            "confirms must be greater",
        ),
    ];
    for (args, expected) in cases {
        let error = folder.raw_error(args);
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn a_result_is_opened_with_the_beneficiarys_key() {
    let folder = Folder::with_wallet();
    let missing = folder.raw_error(&["result", "decrypt"]);
    assert!(
        missing.to_string().contains("encryptedResults.zip"),
        "{missing}"
    );
    folder.write(
        "encryptedResults.zip",
        vector("own_encryptor.encrypted.zip"),
    );
    let keyless = folder.raw_error(&["result", "decrypt"]);
    assert!(
        keyless.to_string().contains("generate-encryption-keypair"),
        "{keyless}"
    );
    folder.write(
        ".secrets/beneficiary/mine",
        vector("TEST_ONLY_rsa2048.key.pem"),
    );
    let decrypt = [
        "result",
        "decrypt",
        "--beneficiary-key-file",
        "mine",
        "--raw",
    ];
    let said: Value = serde_json::from_str(&folder.success(&decrypt)).unwrap();
    let opened = fs::read(said["resultsPath"].as_str().unwrap()).unwrap();
    assert_eq!(opened, vector("own_encryptor.inner.zip"));
    let again = folder.raw_error(&decrypt[..4]);
    assert_eq!(again["error"]["name"], "ExitPromptError");
    folder.success(&[&decrypt[..], &["--force"]].concat());
    folder.write("foreign.zip", vector("neg_oaep.encrypted.zip"));
    let wrong = [
        &["result", "decrypt", "foreign.zip", "--force"],
        &decrypt[2..4],
    ]
    .concat();
    assert!(
        folder
            .raw_error(&wrong)
            .to_string()
            .contains("another beneficiary")
    );
}

#[test]
fn a_result_key_from_elsewhere_is_taken_in_the_usual_form() {
    let folder = Folder::with_wallet();
    folder.write("mine.pem", vector("TEST_ONLY_rsa2048.pkcs1.key.pem"));
    let import = ["result", "import-encryption-key", "mine.pem", "--raw"];
    let said: Value = serde_json::from_str(&folder.success(&import)).unwrap();
    let dir = std::path::Path::new(said["secretPath"].as_str().unwrap());
    let file = |key: &str| dir.join(said[key].as_str().unwrap());
    let private = file("privateKeyFile");
    let mode = fs::metadata(&private).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let public = fs::read_to_string(file("publicKeyFile")).unwrap();
    let expected = String::from_utf8(vector("result/TEST_ONLY_rsa2048.pub.pem")).unwrap();
    assert_eq!(public.trim(), expected.trim());
    folder.write(
        "encryptedResults.zip",
        vector("own_encryptor.encrypted.zip"),
    );
    folder.success(&["result", "decrypt", "--raw"]);
    let again = folder.raw_error(&import[..3]);
    assert_eq!(again["error"]["name"], "ExitPromptError");
    folder.success(&[&import[..], &["--force"]].concat());
    folder.write(
        "foreign.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let wrong = folder.raw_error(&["result", "import-encryption-key", "foreign.pem"]);
    assert!(
        wrong.to_string().contains("not an RSA private key"),
        "{wrong}"
    );
    assert!(!wrong.to_string().contains("AAAA"), "{wrong}");
}

/// The official client returns seven bytes too many and no error.
#[test]
fn a_damaged_result_is_not_saved() {
    let folder = Folder::with_wallet();
    folder.write(
        ".secrets/beneficiary/mine",
        vector("TEST_ONLY_rsa2048.key.pem"),
    );
    folder.write(
        "encryptedResults.zip",
        vector("result/neg_corrupt_last_byte.encrypted.zip"),
    );
    let error = folder.raw_error(&["result", "decrypt", "--beneficiary-key-file", "mine"]);
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(!folder.0.path().join("results.zip").exists());
}

#[test]
fn the_doctor_finds_what_is_broken_and_names_what_mends_it() {
    let folder = Folder::with_wallet();
    let wallet = folder.0.path().join("wallet.json");
    fs::set_permissions(&wallet, fs::Permissions::from_mode(0o644)).unwrap();
    let url = "http://127.0.0.1:1";
    folder.write(
        "chain.json",
        format!(
            r#"{{"default":"dev","chains":{{"dev":{{"id":"4242","host":"{url}",
            "hub":"{SOMEBODY}","sms":"{url}","ipfsGateway":"{url}","iexecGateway":"{url}"}}}}}}"#
        ),
    );
    let error = folder.raw_error(&["doctor"]);
    assert_eq!(error["error"]["name"], "DoctorError");
    let checks = error["checks"].as_array().unwrap();
    let failed = |check: &str| {
        let found = checks.iter().find(|found| found["check"] == check);
        let found = found.unwrap_or_else(|| panic!("no {check} in {error}"));
        assert_eq!(found["verdict"], "fail", "{found}");
        found["fix"].as_str().unwrap().to_owned()
    };
    assert!(failed("chain").contains("chain.json"));
    assert!(failed("keystore").starts_with("chmod 600"));
    assert!(failed("market").contains("iexecGateway"));
    assert!(failed("sms").contains("sms") && failed("gateway").contains("ipfsGateway"));
    let said = folder.run(&["doctor"]);
    let lines = String::from_utf8(said.stdout).unwrap();
    assert!(
        lines.lines().any(|line| line.starts_with("fail  chain")),
        "{lines}"
    );
    assert!(lines.contains("fix: chmod 600"), "{lines}");
}
