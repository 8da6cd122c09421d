//! What is saved comes back.

use protocol::{DealId, status::TaskStage};

use super::*;
use crate::machine::{replicate::Replicate, task::StageDate};

fn task(index: u64, stage: TaskStage) -> Task {
    let terms = Arc::new(Terms {
        deal: DealId::repeat(7),
        size: 9,
        trust: 1,
        contribution_deadline: 100,
        ..Terms::default()
    });
    let mut task = Task::new(terms, index, DealId::repeat(7).task(index));
    task.stages.push(StageDate { stage, date: 5 });
    task.replicates
        .push(Replicate::new(Address::repeat_byte(3), 2, 6));
    task
}

#[tokio::test]
async fn tasks_survive_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    tasks_survive(&format!(
        "sqlite://{}",
        folder.path().join("pool.db").display()
    ))
    .await;
}

#[tokio::test]
async fn postgres_keeps_tasks() {
    tasks_survive(&tools::need!(tools::postgres_database())).await;
}

#[tokio::test]
async fn postgres_keeps_logs() {
    logs_are_purged(&tools::need!(tools::postgres_database())).await;
}

async fn tasks_survive(url: &str) {
    let open = task(0, TaskStage::Running);
    let done = task(1, TaskStage::Completed);
    let failed = task(2, TaskStage::Failed);
    let database = Database::open(url).await.unwrap();
    let writes = Writes {
        deals: vec![open.terms.clone()],
        tasks: vec![open.clone(), done.clone(), failed.clone()],
        cursor: Some(42),
        ..Writes::default()
    };
    database.save(&writes).await.unwrap();
    drop(database);
    let database = Database::open(url).await.unwrap();
    assert_eq!(database.cursor().await.unwrap(), Some(42));
    assert!(database.has_deal(DealId::repeat(7)).await.unwrap());
    assert!(!database.has_deal(DealId::repeat(8)).await.unwrap());
    assert_eq!(database.task(done.id).await.unwrap(), Some(done.clone()));
    let still_open = async |now| {
        let mut tasks = database.open_tasks(now).await.unwrap();
        tasks.sort_by_key(|task| task.index);
        tasks
    };
    let all = [open.clone(), done.clone(), failed.clone()];
    assert_eq!(still_open(99).await, all, "its output is missing");
    let logs = SavedLogs {
        task: done.id,
        worker: Address::repeat_byte(3),
        logs: Logs::default(),
        purge_at: 1_000,
    };
    let writes = Writes {
        logs: vec![logs],
        ..Writes::default()
    };
    database.save(&writes).await.unwrap();
    assert_eq!(still_open(99).await, [open.clone(), failed]);
    assert_eq!(still_open(100).await, [open]);
}

#[tokio::test]
async fn logs_are_kept_until_their_time() {
    logs_are_purged("sqlite::memory:").await;
}

async fn logs_are_purged(url: &str) {
    let database = Database::open(url).await.unwrap();
    let (task, worker) = (TaskId::repeat(1), Address::repeat_byte(2));
    let from = Mark {
        run: 5,
        stdout: 6,
        stderr: 7,
    };
    let logs = Logs {
        stdout: "a\0b".into(),
        stderr: "é".into(),
        from,
    };
    let saved = SavedLogs {
        task,
        worker,
        logs,
        purge_at: 10,
    };
    let writes = Writes {
        logs: vec![saved],
        ..Writes::default()
    };
    database.save(&writes).await.unwrap();
    database.purge_logs(10).await.unwrap();
    let found = database.logs(task).await.unwrap();
    assert_eq!(found[0].1.stdout, "a\u{fffd}b");
    assert_eq!(found[0].1.stderr, "é");
    assert_eq!(found[0].1.from, from);
    database.purge_logs(11).await.unwrap();
    assert!(database.logs(task).await.unwrap().is_empty());
}
