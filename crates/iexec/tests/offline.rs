//! The real binary, without any network: what it prints, writes and returns.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of a test may panic like the test"
)]

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};
use snapbox::{assert_data_eq, cmd::Command, str};
use tempfile::TempDir;

const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// A project folder with a home of its own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn iexec(&self, args: &[&str]) -> Command {
        Command::new(snapbox::cmd::cargo_bin!("iexec"))
            .env_clear()
            .env("HOME", self.path().join("home"))
            .current_dir(self.path())
            .args(args)
    }

    fn stdout(&self, args: &[&str]) -> String {
        let output = self.iexec(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }
}

impl Folder {
    /// One line of JSON on stderr, nothing on stdout, exit code 1.
    fn raw_error(&self, args: &[&str]) -> Value {
        let output = self.iexec(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        serde_json::from_str(&line).unwrap()
    }
}

#[test]
fn init_writes_the_official_files() {
    let folder = Folder::new();
    folder
        .iexec(&["init", "--skip-wallet", "--raw"])
        .assert()
        .success()
        .stderr_eq("")
        .stdout_eq(str![[r#"
{"ok":true,"configFile":"iexec.json","chainConfigFile":"chain.json"}

"#]]);
    let chain = folder.text("chain.json");
    let expected = str![[r#"
{
  "default": "arbitrum-sepolia-testnet",
  "chains": {
    "arbitrum-mainnet": {},
    "arbitrum-sepolia-testnet": {},
    "local": {}
  }
}
"#]];
    assert_data_eq!(chain, expected);
    let again = folder
        .iexec(&["init", "--skip-wallet"])
        .assert()
        .code(1)
        .stdout_eq("");
    again.stderr_eq(str![[r#"
✖ Command "iexec init" failed with ExitPromptError: no terminal to ask on: iexec.json [..]
  hint: use --force

"#]]);
}

#[test]
fn init_makes_local_the_default_while_it_runs() {
    let folder = Folder::new();
    let data = folder.path().join("home/.local/share/iexec/local");
    fs::create_dir_all(&data).unwrap();
    let url = "http://127.0.0.1:1";
    let (zero, key) = (
        "0x".to_owned() + &"0".repeat(40),
        "0x".to_owned() + &"1".repeat(64),
    );
    let network = format!(
        r#"{{"name":"local","chainId":65535,"hub":"{zero}","token":null,"native":false,
        "workerpool":"{zero}","engine":"docker","rpcUrl":"{url}","wsUrl":"ws://127.0.0.1:1",
        "market":"{url}","sms":"{url}","resultProxy":"{url}","ipfsGateway":"{url}",
        "ipfsNode":"{url}","compass":"{url}","pool":"{url}","explorer":"{url}",
        "accounts":[{{"role":"faucet","address":"{zero}","privateKey":"{key}"}}]}}"#
    );
    fs::write(data.join("network.json"), network).unwrap();
    folder.stdout(&["init", "--skip-wallet", "--raw"]);
    assert!(folder.text("chain.json").contains(r#""default": "local""#));
}

#[test]
fn an_imported_wallet_is_locked_for_its_owner_only() {
    let folder = Folder::new();
    let made = folder.stdout(&["wallet", "import", KEY, "--password", "secret", "--raw"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["address"], ADDRESS);
    assert_eq!(made["wallet"]["Crypto"]["kdfparams"]["n"], 131_072);
    let name = made["fileName"].as_str().unwrap();
    assert!(
        name.starts_with("home/.ethereum/keystore/UTC--") && name.ends_with(&ADDRESS[2..]),
        "{name}"
    );
    let path = folder.path().join(name);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!fs::read_to_string(path).unwrap().contains(&KEY[2..]));
}

#[test]
fn a_plain_wallet_is_wallet_json() {
    let folder = Folder::new();
    let made = folder.stdout(&["wallet", "import", KEY, "--unencrypted", "--raw"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(
        (made["fileName"].as_str(), made["address"].as_str()),
        (Some("wallet.json"), Some(ADDRESS))
    );
    assert_eq!(made["wallet"]["privateKey"], KEY);
    let mode = fs::metadata(folder.path().join("wallet.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let created = folder.stdout(&["wallet", "create", "--unencrypted", "--force", "--raw"]);
    assert!(!created.contains(ADDRESS));
}

#[test]
fn a_password_comes_from_the_environment_or_is_asked_for() {
    let folder = Folder::new();
    let create = || folder.iexec(&["wallet", "create", "--raw"]);
    create()
        .env("IEXEC_WALLET_PASSWORD", "x")
        .assert()
        .success();
    let create = ["wallet", "create", "--raw"];
    let expected = json!({ "ok": false, "command": "iexec wallet create", "error": {
        "name": "ExitPromptError",
        "message": "no terminal to ask on: a password is needed",
        "hint": "use --password, or set IEXEC_WALLET_PASSWORD",
    } });
    assert_eq!(folder.raw_error(&create), expected);
}

#[test]
fn a_bad_key_is_not_repeated() {
    let folder = Folder::new();
    let import = folder.iexec(&["wallet", "import", "0x1234", "--unencrypted"]);
    import.assert().code(1).stderr_eq(str![[r#"
✖ Command "iexec wallet import" failed with ValidationError: invalid privateKey: [..]

"#]]);
}

#[test]
fn app_init_adds_the_default_app() {
    let folder = Folder::new();
    folder
        .iexec(&["app", "init"])
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
✖ Command "iexec app init" failed with Error: Missing "iexec.json" file[..]
  hint: run `iexec init` first, or go to the folder of your project

"#]]);
    folder.stdout(&["init", "--skip-wallet", "--raw"]);
    folder.stdout(&["wallet", "import", KEY, "--unencrypted", "--raw"]);
    let made = folder.stdout(&["app", "init", "--raw"]);
    let app = json!({
        "owner": ADDRESS,
        "name": "hello-world",
        "type": "DOCKER",
        "multiaddr": "iexechub/python-hello-world:8.0.4",
        "checksum": "0xb0b664b7a6d249f81c067a9262b1763144eeb3ca63e553567f71673442ce9e84",
    });
    assert_eq!(
        made.trim_end(),
        json!({ "ok": true, "app": app }).to_string()
    );
    assert!(
        folder
            .text("iexec.json")
            .contains("\"multiaddr\": \"iexechub/python-hello-world:8.0.4\"")
    );
}

#[test]
fn unknown_chains_and_keys_are_named() {
    let folder = Folder::new();
    folder.stdout(&["init", "--skip-wallet", "--raw"]);
    let expected = json!({ "ok": false, "command": "iexec info", "error": {
        "name": "Error",
        "message": "Missing \"nope\" chain in \"chain.json\"",
        "hint": "known without chain.json: local, arbitrum-sepolia-testnet, arbitrum-mainnet, \
            bellecour",
    } });
    assert_eq!(
        folder.raw_error(&["info", "--raw", "--chain", "nope"]),
        expected
    );
    folder
        .iexec(&["info", "--chain", "local"])
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
✖ Command "iexec info" failed with Error: no local network is running
  hint: start it with `iexec up`

"#]]);
    fs::write(
        folder.path().join("chain.json"),
        r#"{"chains":{"a":{"hots":"x"}}}"#,
    )
    .unwrap();
    folder
        .iexec(&["info", "--chain", "a"])
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
✖ Command "iexec info" failed with Error: ValidationError: Unknown key "hots" in chain.json
  hint: remove or correct chains.a.hots

"#]]);
}

#[test]
fn wrong_usage_is_an_error_with_code_1() {
    let folder = Folder::new();
    for args in [
        &["app"][..],
        &["app", "run", "--bad"],
        &["nothing"],
        &["task", "show"],
        &[],
    ] {
        let output = folder.iexec(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{args:?}"
        );
    }
    let help = folder.stdout(&["app", "run", "--help"]);
    assert!(
        help.contains("iexec app run --args \"Alice\" --watch --chain local"),
        "{help}"
    );
    assert!(
        folder
            .stdout(&["--version"])
            .contains(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn amounts_and_ids_are_read_before_anything_is_sent() {
    let folder = Folder::new();
    let error = |args: &[&str]| {
        let output = folder.iexec(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(error(&["account", "deposit", "1.5"]).contains("too many decimals"));
    assert!(error(&["task", "show", "0x12"]).contains("0x12 is not a bytes32 hexstring"));
    assert!(error(&["deal", "show", "x"]).contains("bytes32"));
}

#[test]
fn storage_on_ipfs_needs_nothing() {
    let folder = Folder::new();
    folder
        .iexec(&["storage", "init", "--raw"])
        .assert()
        .success()
        .stdout_eq(str![[r#"
{"ok":true,"isInitialized":true,"isUpdated":false}

"#]]);
    folder
        .iexec(&["storage", "check", "ipfs", "--raw"])
        .assert()
        .success()
        .stdout_eq(str![[r#"
{"ok":true,"isInitialized":true}

"#]]);
    folder
        .iexec(&["storage", "check", "floppy"])
        .assert()
        .code(1);
}

#[test]
fn deploying_to_a_chain_needs_a_node_and_a_key() {
    let folder = Folder::new();
    let deploy = |more: &[&'static str]| {
        let words = ["chain", "deploy", "--rpc", "http://127.0.0.1:1"];
        words.iter().chain(more).copied().collect::<Vec<_>>()
    };
    folder
        .iexec(&deploy(&[]))
        .assert()
        .code(1)
        .stdout_eq("")
        .stderr_eq(str![[r#"
✖ Command "iexec chain deploy" failed with ExitPromptError: no terminal to ask on: [..] is needed
  hint: use --private-key, or set IEXEC_PRIVATE_KEY

"#]]);
    let wrong = folder.raw_error(&deploy(&["--private-key", "0x1234", "--raw"]));
    assert_eq!(wrong["error"]["name"], "ValidationError");
    assert!(!wrong.to_string().contains("1234"), "{wrong}");
    let unreachable = folder.iexec(&deploy(&["--json"]));
    let unreachable = unreachable.env("IEXEC_PRIVATE_KEY", KEY).assert().code(1);
    unreachable.stdout_eq("").stderr_eq(str![[r#"
✖ Command "iexec chain deploy" failed with NetworkError: ask the node to name its chain: [..]
  hint: does the node run, and is --rpc right? Then run the same command again

"#]]);
    let token = folder.raw_error(&deploy(&["--token", "RLC", "--raw"]));
    assert_eq!(
        token["error"]["message"],
        "RLC is not a valid ethereum address"
    );
    let url = [
        "chain",
        "deploy",
        "--rpc",
        "ftp://x",
        "--private-key",
        KEY,
        "--raw",
    ];
    let url = folder.raw_error(&url);
    assert_eq!(
        url["error"]["message"],
        "`ftp://x` is not an http(s) or ws(s) URL"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn completions_are_printed() {
    let folder = Folder::new();
    assert!(folder.stdout(&["completion", "bash"]).contains("_iexec"));
}

#[test]
fn order_templates_are_written_without_a_node() {
    let folder = Folder::new();
    folder.stdout(&["init", "--skip-wallet", "--raw"]);
    folder.stdout(&["wallet", "import", KEY, "--unencrypted", "--raw"]);
    let app = "0x6BdE1F9F0e4ec5Cc4D8fd9A6e0fb2c7E8e0a1C11".to_lowercase();
    let deployed = json!({ "app": { "421614": app } });
    fs::write(folder.path().join("deployed.json"), deployed.to_string()).unwrap();
    let chain = ["--chain", "arbitrum-sepolia-testnet", "--raw"];
    let init = |more: &[&'static str]| {
        let words = ["order", "init"].iter().chain(more).chain(&chain);
        let made = folder.stdout(&words.copied().collect::<Vec<_>>());
        serde_json::from_str::<Value>(&made).unwrap()
    };
    let one = init(&["--app"]);
    assert_eq!(one.as_object().unwrap().len(), 2, "{one}");
    let made = one["apporder"]["app"].as_str().unwrap();
    assert_eq!(made.to_lowercase(), app);
    let all = init(&[]);
    let keys: Vec<_> = all.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "ok",
            "apporder",
            "datasetorder",
            "workerpoolorder",
            "requestorder"
        ]
    );
    assert_eq!(all["requestorder"]["requester"], ADDRESS);
    assert_eq!(
        all["workerpoolorder"]["workerpool"],
        format!("0x{}", "0".repeat(40))
    );
    let file: Value = serde_json::from_str(&folder.text("iexec.json")).unwrap();
    assert_eq!(file["order"]["requestorder"], all["requestorder"]);
}

/// Before it asks anybody: no chain is reached here.
#[test]
fn a_worker_whose_enclaves_would_lack_something_does_not_start() {
    let folder = Folder::new();
    let refused = |section: &str| {
        let pool = format!("url = \"http://127.0.0.1:1\"\nworkerpool = \"{ADDRESS}\"");
        let settings = format!("[attestation]\n{section}\n[[pool]]\n{pool}\n");
        fs::write(folder.path().join("worker.toml"), settings).unwrap();
        let failure = folder.raw_error(&["worker", "--config", "worker.toml", "--raw"]);
        let error = &failure["error"];
        assert_eq!(error["name"], "ValidationError", "{error}");
        assert!(error["hint"].is_string(), "{error}");
        error["message"].as_str().unwrap().to_owned()
    };
    assert!(refused("").contains("`sms-id` is not set"));
    let told = refused("simulator = \"nowhere.seed\"");
    assert!(told.contains("no seed") && told.contains("nowhere.seed"));
    assert!(!folder.path().join("nowhere.seed").exists());
    let id = "0x".to_owned() + &"1".repeat(64);
    let told = refused(&format!("sms-id = \"{id}\"\ntsm = \"/nowhere\""));
    assert!(told.contains("there is no /nowhere"), "{told}");
}

#[test]
fn order_commands_say_what_they_want() {
    let folder = Folder::new();
    let error = |args: &[&str]| {
        let error = folder.raw_error(args);
        error["error"]["message"].as_str().unwrap().to_owned()
    };
    for command in ["publish", "unpublish", "cancel", "show"] {
        let told = error(&["order", command, "--raw"]);
        assert!(told.starts_with("No option specified"), "{command}: {told}");
        let told = error(&["order", command, "--app", "0x12", "--raw"]);
        assert!(told.contains("0x12 is not a bytes32"), "{command}: {told}");
    }
    let told = error(&["orderbook", "app", "all", "--raw"]);
    assert!(
        told.contains("all is not a valid ethereum address"),
        "{told}"
    );
    let price = [
        "app",
        "request-execution",
        ADDRESS,
        "--app-price",
        "1.5",
        "--raw",
    ];
    assert!(error(&price).contains("1.5 is not a valid amount"));
}
