//! Stories of tasks: asked for, run, read and claimed.

use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider as _,
};
use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use iexec_tests::{
    archive::Archive,
    cast::{Ask, Cast},
    files::FileServer,
};
use network::Role;
use protocol::{TaskId, deal::TaskStatus};
use serde_json::{Value, json};

use crate::{
    books,
    official::{Official, address},
    shell::{parse, text},
};

/// Says what it was given, and answers a callback when asked to.
const SCRIPT: &str = r#"
echo "$# arguments"
for arg in "$@"; do echo "<$arg>"; done
echo "a word aside" >&2
echo "task $IEXEC_BOT_TASK_INDEX of $IEXEC_BOT_SIZE" > "$IEXEC_OUT/result.txt"
number=0
while [ "$number" != "${IEXEC_INPUT_FILES_NUMBER:-0}" ]; do
    number=$((number + 1))
    eval name="\$IEXEC_INPUT_FILE_NAME_$number"
    cat "$IEXEC_IN/$name" >> "$IEXEC_OUT/result.txt"
done
printf '{"deterministic-output-path":"/iexec_out/result.txt","callback-data":"0x%064x"}' 51966 \
    > "$IEXEC_OUT/computed.json"
"#;

const FILES: &[(&str, &str)] = &[("one.txt", "content one\n"), ("two.txt", "content two\n")];

pub(crate) async fn run(official: Official) -> Result<()> {
    let files = FileServer::start(FILES).await?;
    let urls: Vec<String> = FILES.iter().map(|(name, _)| files.url(name)).collect();
    let app = official.app(SCRIPT).await?;
    let extra = json!({ "app": app.to_checksum(None), "files": urls });
    let told: Value = official.script("run", extra).await?;
    assert_eq!(told["user"], address(Role::Requester).to_checksum(None));

    let (single, tasks) = books::deal(&official, &told["single"]).await?;
    let (bag, more) = books::deal(&official, &told["bag"]).await?;
    let (called, calls) = books::deal(&official, &told["called"]["deal"]).await?;
    assert_eq!((tasks.len(), more.len(), calls.len()), (1, 5, 1));
    let mine = told["mine"].as_array().context("no deals")?;
    for id in [single, bag, called] {
        ensure!(mine.contains(&json!(id)), "{id} is not among {mine:?}");
    }
    for task in tasks.iter().chain(&more).chain(&calls) {
        completed(&official, *task).await?;
    }
    check_single(&official, &told["single"], &told["logsOfOthers"])?;
    check_bag(&told["bag"])?;
    check_callback(&official, &told, calls[0]).await?;
    official.world.stop().await
}

/// The chain agreed on the task; the archive behind our gateway is what it agreed on.
async fn completed(official: &Official, task: TaskId) -> Result<()> {
    let cast = &official.world.cast;
    let on_chain = cast.on_chain(task).await?;
    assert_eq!(on_chain.status, TaskStatus::Completed, "{task}");
    if on_chain.results_callback.is_empty() {
        cast.result(task).await?;
    }
    Ok(())
}

fn archive(told: &Value) -> Result<Archive> {
    Archive::unzip(&STANDARD.decode(text(told, "/zip")?)?)
}

fn check_single(official: &Official, told: &Value, refusal: &Value) -> Result<()> {
    let task = &told["tasks"][0];
    let archive = archive(task)?;
    let result = archive.text("result.txt")?;
    assert_eq!(result, "task 0 of 1\ncontent one\ncontent two\n");
    let printed = "3 arguments\n<a>\n<b c>\n<é>\n";
    assert_eq!(archive.text("stdout.txt")?, printed);
    assert_eq!(task["logs"][0]["stdout"], printed);
    let aside = text(task, "/logs/0/stderr")?;
    // What runs in a simulated enclave is told so first.
    let warning = aside.strip_suffix("a word aside\n").context("no word")?;
    let is_warned = warning.starts_with("SIMULATED TEE") && warning.lines().count() == 1;
    ensure!(is_warned != official.is_old(), "{aside}");
    ensure!(is_warned || warning.is_empty(), "{aside}");
    assert_eq!(task["task"]["statusName"], "COMPLETED");
    assert_eq!(task["history"]["task"]["status"], "COMPLETED");
    assert_eq!(task["history"]["replicates"][0]["exitCode"], 0);
    let last = |messages: &Value| messages.as_array().and_then(|list| list.last()).cloned();
    let message = last(&told["messages"]).context("no messages of the deal")?;
    assert_eq!(message["message"], "DEAL_COMPLETED");
    let message = last(&task["messages"]).context("no messages of the task")?;
    assert_eq!(message["message"], "TASK_COMPLETED");
    let refusal = refusal.as_str().context("a stranger read the logs")?;
    ensure!(refusal.contains("requester"), "{refusal}");
    Ok(())
}

fn check_bag(told: &Value) -> Result<()> {
    for (index, task) in told["tasks"]
        .as_array()
        .context("no tasks")?
        .iter()
        .enumerate()
    {
        let result = archive(task)?;
        assert_eq!(result.text("result.txt")?, format!("task {index} of 5\n"));
    }
    let messages = told["messages"].as_array().context("no messages")?;
    let last = messages.last().context("no message")?;
    assert_eq!(last["completedTasksCount"], 5);
    Ok(())
}

/// The contract stores the first word of what it is called with, under the task's id.
async fn check_callback(official: &Official, told: &Value, task: TaskId) -> Result<()> {
    let callback: Address = parse(told, "/callback")?;
    let cast = &official.world.cast;
    let on_chain = cast.on_chain(task).await?;
    let word = B256::from(U256::from(51_966));
    assert_eq!(on_chain.results_callback.as_ref(), word.as_slice());
    let slot = U256::from_be_bytes(task.0.0);
    let provider = cast.hub.provider();
    let stored = provider.get_storage_at(callback, slot).await?;
    assert_eq!(stored, U256::from(51_966), "the contract was called");
    Ok(())
}

pub(crate) async fn read_what_our_program_asked_for(official: Official) -> Result<()> {
    let cast = &official.world.cast;
    let app = official.app(SCRIPT).await?;
    let ask = Ask {
        args: Some("ours".to_owned()),
        ..Ask::default()
    };
    let deal = cast.deal(app, &ask).await?;
    Cast::expect_end(&cast.ended_one(&deal).await?, "COMPLETED", "")?;
    let told: Value = official
        .script("read", json!({ "dealid": deal.id }))
        .await?;
    assert_eq!(told["deal"]["tasks"], json!(deal.tasks));
    assert_eq!(told["computed"], json!(deal.tasks[0]));
    assert_eq!(told["task"]["statusName"], "COMPLETED");
    let archive = archive(&told)?;
    archive.verify(&cast.on_chain(deal.tasks[0]).await?)?;
    assert_eq!(archive.text("result.txt")?, "task 0 of 1\n");
    assert_eq!(told["logs"][0]["stdout"], "1 arguments\n<ours>\n");
    assert_eq!(told["info"]["task"]["status"], "COMPLETED");
    ensure!(text(&told, "/refused")?.contains("requester"));
    official.world.stop().await
}

pub(crate) async fn claims(official: Official) -> Result<()> {
    let app = official.idle_app().await?;
    let told: Value = official
        .script("claims", json!({ "app": app.to_checksum(None) }))
        .await?;
    let cast = &official.world.cast;
    for deal in ["three", "one"] {
        let (_, tasks) = books::deal(&official, &told[deal]).await?;
        for task in tasks {
            let status = cast.on_chain(task).await?.status;
            assert_eq!(status, TaskStatus::Failed, "{task}");
        }
    }
    let account = cast.hub.account(address(Role::Requester)).await?;
    assert_eq!(told["before"]["stake"], account.stake.to_string());
    assert_eq!(account.locked, U256::ZERO);
    assert_eq!(told["locked"]["locked"], (4 * 107).to_string());
    ensure!(text(&told, "/tooEarly")?.contains("Cannot claim a deal before"));
    ensure!(text(&told, "/unknown")?.contains("No task found"));
    assert_eq!(told["active"]["statusName"], "ACTIVE");
    assert_eq!(told["failed"]["statusName"], "FAILED");
    assert_eq!(
        told["claimed"]["claimed"]
            .as_object()
            .map(serde_json::Map::len),
        Some(3)
    );
    ensure!(text(&told, "/again")?.contains("FAILED"));
    ensure!(text(&told, "/twice")?.contains("Nothing to claim"));
    official.world.stop().await
}
