//! Following all tasks of a deal: shared by `app run --watch`, `deal show --watch` and
//! `task show --watch`.

use chain::Wallet;
use protocol::{TaskId, deal::Deal};
use sdk::{
    Client,
    chains::Chain,
    deal, view,
    watch::{self, Failure as Why, Outcome},
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    live::Live,
    outcome::{Failure, Report},
};

/// How the tasks of a deal ended.
#[derive(Debug)]
pub(crate) struct Watched {
    /// All tasks as `--raw` shows them.
    pub(crate) tasks: Vec<Value>,
    /// Those that did not complete.
    pub(crate) failed: Vec<Value>,
    /// The first failure.
    first: Option<(TaskId, Outcome)>,
    /// The first task, for the next command to type.
    sample: Option<TaskId>,
}

/// Follows the tasks one after another: each is bounded by the deal's final deadline.
pub(crate) async fn follow(
    context: &Context,
    client: &Client,
    deal: &Deal,
    wallet: Option<&Wallet>,
) -> Result<Watched, Failure> {
    let mut watched = Watched {
        tasks: vec![],
        failed: vec![],
        first: None,
        sample: None,
    };
    let last = deal::final_time(client, deal).await?;
    for (index, id) in deal.tasks() {
        let outcome = follow_one(context, client, deal, index, wallet).await?;
        let known = client.hub().task(id).await.ok().flatten();
        let now = client.now().await?;
        let shown = view::watched_task(deal, index, known.as_ref(), last, now);
        if outcome != Outcome::Completed {
            watched.failed.push(with_cause(shown.clone(), &outcome));
            watched.first.get_or_insert((id, outcome));
        }
        watched.tasks.push(shown);
        watched.sample.get_or_insert(id);
    }
    Ok(watched)
}

/// Follows one task on the terminal.
pub(crate) async fn follow_one(
    context: &Context,
    client: &Client,
    deal: &Deal,
    index: u64,
    wallet: Option<&Wallet>,
) -> Result<Outcome, Failure> {
    let mut live = Live::new(context.raw);
    let outcome =
        watch::follow::task(client, deal, index, wallet, |update| live.show(update)).await;
    live.finish();
    Ok(outcome?)
}

/// Why it failed, beside the official keys.
fn with_cause(mut task: Value, outcome: &Outcome) -> Value {
    if let (Some(why), Value::Object(map)) = (why(outcome), &mut task) {
        map.insert("cause".to_owned(), json!(why.cause));
        map.insert("message".to_owned(), json!(why.message));
    }
    task
}

fn why(outcome: &Outcome) -> Option<&Why> {
    match outcome {
        Outcome::Completed => None,
        Outcome::Failed(why) | Outcome::TimedOut(why) => why.as_ref(),
    }
}

/// The failure that a task's end is, with the next thing to do.
pub(crate) fn failure(task: TaskId, outcome: &Outcome, chain: &Chain) -> Failure {
    let what = match outcome {
        Outcome::TimedOut(_) => "reached its final deadline without a result",
        _ => "failed",
    };
    let details = format!("iexec task debug {task} --logs --chain {}", chain.name);
    let Some(why) = why(outcome) else {
        let claim = format!("iexec task claim {task} --chain {}", chain.name);
        return Failure::new(format!("task {task} {what}")).hint(match outcome {
            Outcome::TimedOut(_) => format!("get the payment back with `{claim}`"),
            _ => format!("see `{details}`"),
        });
    };
    let hint = why.cause.hint();
    let hint = match hint.contains("task debug") {
        true => hint.replace("iexec task debug <taskid> --logs", &details),
        false => format!(
            "{}; see `{details}`",
            hint.replace("<taskid>", &task.to_string())
        ),
    };
    Failure::new(format!("task {task} {what}: {why}")).hint(hint)
}

impl Watched {
    /// The end of the command: a failure when any task failed.
    pub(crate) fn report(self, deals: Option<Value>, chain: &Chain) -> Result<Report, Failure> {
        let Some((task, outcome)) = &self.first else {
            let next = self.sample.map_or_else(String::new, |task| {
                format!(
                    "\nGet the result with `iexec task show {task} --download my-app-result \
                     --chain {}`",
                    chain.name
                )
            });
            let raw = json!({ "deals": deals, "tasks": self.tasks });
            return Ok(Report::new(raw, format!("App run successful{next}")));
        };
        let raw = json!({ "deals": deals, "tasks": self.tasks, "failedTasks": self.failed });
        Err(failure(*task, outcome, chain).partial(raw))
    }
}
