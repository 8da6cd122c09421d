//! Stories of confidential tasks: a dataset, secrets and an encrypted result, by the official
//! library and by its command line. What one side closes the other opens.

use std::fs;

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use iexec_tests::{archive::Archive, confidential::SHOWS_SLICE, task};
use network::Role;
use protocol::{Address, TaskId};
use serde_json::{Value, json};

use crate::{
    official::{Official, address},
    shell::{Shell, parse, text},
};

const CONTENT: &str = "forty thieves\n";
const OF_DEVELOPER: &str = "the cave's";
const FIRST: &str = "sesame é";
const SECOND: &str = "second one";

/// Shows its requester, and nobody else, what it was given.
const SCRIPT: &str = r#"
result="$IEXEC_OUT/result.txt"
echo "$@" > "$result"
echo "$IEXEC_APP_DEVELOPER_SECRET" >> "$result"
echo "$IEXEC_REQUESTER_SECRET_1|$IEXEC_REQUESTER_SECRET_7|$IEXEC_REQUESTER_SECRET_2" >> "$result"
echo "$IEXEC_DATASET_ADDRESS" >> "$result"
cat "$IEXEC_IN/$IEXEC_DATASET_FILENAME" >> "$result"
declare_result "$result"
"#;

fn expected(args: &str, dataset: Address) -> String {
    let dataset = dataset.to_checksum(None);
    format!("{args}\n{OF_DEVELOPER}\n{FIRST}|{SECOND}|\n{dataset}\n{CONTENT}")
}

/// What the chain agreed on is in the opened archive.
async fn check_opened(
    official: &Official,
    id: TaskId,
    opened: &[u8],
    expected: &str,
) -> Result<()> {
    let archive = Archive::unzip(opened)?;
    assert_eq!(archive.text("result.txt")?, expected);
    archive.verify(&official.world.cast.on_chain(id).await?)
}

/// Nobody can read in the archive what only its beneficiary should.
fn check_closed(encrypted: &[u8]) -> Result<()> {
    let outer = Archive::unzip(encrypted)?;
    assert_eq!(outer.names(), ["aes-key.rsa", "iexec_out.zip.aes"]);
    for text in [CONTENT, OF_DEVELOPER, FIRST, SECOND] {
        let is_there = |window: &[u8]| window == text.as_bytes();
        ensure!(!encrypted.windows(text.len()).any(is_there), "{text}");
    }
    Ok(())
}

pub(crate) async fn by_library(official: Official) -> Result<()> {
    let app = official.app(SCRIPT).await?;
    let extra = json!({
        "app": app.to_checksum(None),
        "content": CONTENT,
        "secrets": { "developer": OF_DEVELOPER, "first": FIRST, "second": SECOND },
    });
    let told: Value = official.script("confidential", extra).await?;
    let id: TaskId = parse(&told, "/task")?;
    let expected = expected("open sesame", parse(&told, "/dataset")?);
    let encrypted = STANDARD.decode(text(&told, "/encrypted")?)?;
    check_closed(&encrypted)?;
    let opened = STANDARD.decode(text(&told, "/opened")?)?;
    check_opened(&official, id, &opened, &expected).await?;
    // Ours opens the same.
    let ours = sdk::result::decrypt(&encrypted, text(&told, "/privateKey")?)?;
    assert_eq!(ours, opened);
    official.world.stop().await
}

/// Three datasets, at most two a task.
pub(crate) async fn bulk_by_library(official: Official) -> Result<()> {
    let app = official.app(SHOWS_SLICE).await?;
    let extra = json!({
        "app": app.to_checksum(None),
        "contents": ["open ", "sesame", CONTENT],
    });
    let told: Value = official.script("confidential_bulk", extra).await?;
    let expected = ["open sesame", CONTENT];
    for (number, expected) in expected.into_iter().enumerate() {
        let id: TaskId = parse(&told, &format!("/tasks/{number}"))?;
        let archive = STANDARD.decode(text(&told, &format!("/results/{number}"))?)?;
        check_opened(&official, id, &archive, expected).await?;
    }
    ensure!(
        told["tasks"]
            .as_array()
            .is_some_and(|tasks| tasks.len() == 2)
    );
    official.world.stop().await
}

pub(crate) async fn by_command(official: Official) -> Result<()> {
    let developer = Shell::of(&official, Role::Developer).await?;
    let requester = Shell::of(&official, Role::Requester).await?;
    let app = official.app(SCRIPT).await?;
    let dataset = dataset(&official, &developer, app).await?;
    secrets(&developer, &requester, app).await?;
    developer
        .ok(&format!("app publish {app} --tag tee,tdx --force"))
        .await?;

    let pool = official.world.network.info().workerpool;
    let run = format!(
        "app run {app} --workerpool {pool} --dataset {dataset} --tag tee,tdx --encrypt-result \
         --secret 1=first 7=second --force --watch"
    );
    let ran = requester.ok_with(&run, &["--args", "by command"]).await?;
    let deal = text(&ran, "/deals/0/dealid")?;
    let shown = requester.ok(&format!("deal show {deal}")).await?;
    let id: TaskId = parse(&shown, "/deal/tasks/0")?;
    let cast = &official.world.cast;
    let ended = task::ended(&cast.http, &cast.origin, id).await?;
    assert_eq!(ended.status(), "COMPLETED", "{}", ended.message());

    requester
        .ok(&format!("task show {id} --download closed"))
        .await?;
    check_closed(&fs::read(requester.file("closed.zip"))?)?;
    requester.ok("result decrypt closed.zip").await?;
    let opened = fs::read(requester.file("results.zip"))?;
    let expected = expected("by command", dataset);
    check_opened(&official, id, &opened, &expected).await?;
    official.world.stop().await
}

/// An encrypted dataset with its key and its order, as the tutorial makes one.
async fn dataset(official: &Official, shell: &Shell, app: Address) -> Result<Address> {
    shell.ok("dataset init --encrypted").await?;
    fs::write(shell.file("datasets/original/data.txt"), CONTENT)?;
    let made = shell.ok("dataset encrypt").await?;
    let checksum = text(&made, "/encryptedFiles/0/checksum")?.to_owned();
    let encrypted = fs::read(shell.file("datasets/encrypted/data.txt.enc"))?;
    let link = official.add(encrypted).await?;
    shell.edit(|config| {
        config["dataset"]["checksum"] = json!(checksum);
        config["dataset"]["multiaddr"] = json!(link);
    })?;
    let deployed = shell.ok("dataset deploy").await?;
    let dataset: Address = parse(&deployed, "/address")?;
    shell.ok("dataset push-secret").await?;
    let publish = format!("dataset publish {dataset} --tag tee,tdx --app-restrict {app} --force");
    shell.ok(&publish).await?;
    Ok(dataset)
}

async fn secrets(developer: &Shell, requester: &Shell, app: Address) -> Result<()> {
    let push = format!("app push-secret {app} --secret-value");
    developer.ok_with(&push, &[OF_DEVELOPER]).await?;
    for (name, value) in [("first", FIRST), ("second", SECOND)] {
        let push = format!("requester push-secret {name} --secret-value");
        requester.ok_with(&push, &[value]).await?;
    }
    requester.ok("result generate-encryption-keypair").await?;
    requester.ok("result push-encryption-key").await?;
    let own = address(Role::Requester).to_checksum(None);
    let set = requester
        .ok(&format!("result check-encryption-key {own}"))
        .await?;
    assert_eq!(set["isEncryptionKeySet"], true);
    Ok(())
}
