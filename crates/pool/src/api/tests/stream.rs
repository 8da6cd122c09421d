//! The live stream: where it goes on, what is missing, and what a restart loses.

use protocol::{message::LOG_CHARS_MAX, output::Mark};

use super::*;

/// An open stream of a task.
struct Open {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Open {
    async fn new(pool: &Pool, task: TaskId, token: &str, after: &str) -> Self {
        let request = Request::get(format!("/tasks/{task}/stream"))
            .header(header::AUTHORIZATION, token)
            .header("last-event-id", after);
        let request = request.body(Body::empty()).unwrap();
        let response = pool.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let (body, text) = (response.into_body().into_data_stream(), String::new());
        Self { body, text }
    }

    /// Reads on until all events so far contain `sign`.
    async fn until(&mut self, sign: &str) {
        while !(self.text.contains(sign) && self.text.ends_with("\n\n")) {
            let chunk = self.body.next().await.unwrap().unwrap();
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let name = format!("event: {name}");
        let events = self
            .text
            .split("\n\n")
            .filter(|event| event.lines().any(|l| l == name));
        let data = events.map(|event| event.lines().find_map(|l| l.strip_prefix("data: ")));
        data.map(|data| serde_json::from_str(data.unwrap()).unwrap())
            .collect()
    }

    /// What the app wrote, as far as this stream told.
    fn output(&self) -> String {
        let logs = self.events("log");
        logs.iter()
            .map(|log| log["text"].as_str().unwrap())
            .collect()
    }

    fn last_id(&self) -> String {
        let mut ids = self.text.lines().rev();
        ids.find_map(|line| line.strip_prefix("id: "))
            .unwrap()
            .to_owned()
    }
}

async fn failed(worker: &mut Worker, task: TaskId, logs: Option<Logs>) {
    let report = Report {
        cause: Some(Cause::AppComputeFailed),
        logs,
        ..Report::new(task, ComputeFailed)
    };
    worker.report(report).await;
}

#[tokio::test]
async fn the_stream_tells_the_story_and_the_output_to_the_requester() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let token = pool.token(&requester).await;
    let work = async {
        worker.write(task, 0, "one\n").await;
        worker.write(task, 4, "two\n").await;
        let report = Report {
            cause: Some(Cause::AppComputeFailed),
            message: Some("exit code 3".into()),
            ..Report::new(task, ComputeFailed)
        };
        worker.report(report).await;
    };
    let public = pool.stream(task, None);
    let own = pool.stream(task, Some(&token));
    let (public, own, ()) = tokio::join!(public, own, work);
    for story in [&public, &own] {
        assert_eq!(
            story
                .matches("\"replicateStatus\":\"COMPUTE_FAILED\"")
                .count(),
            1,
            "{story}"
        );
        assert!(story.contains("exit code 3"), "{story}");
        assert!(story.contains("event: end"), "{story}");
        assert!(story.contains("\"code\":\"APP_COMPUTE_FAILED\""), "{story}");
    }
    assert!(!public.contains("event: log"), "{public}");
    assert_eq!(
        (own.matches("one\\n").count(), own.matches("two\\n").count()),
        (1, 1),
        "{own}"
    );
    assert!(matches!(worker.order().await, Order::Abort { .. }));
    let path = format!("/tasks/{task}/logs");
    let (_, logs) = pool.get_with(&path, Some(&token)).await;
    assert_eq!(
        logs["computeLogsList"][0]["stdout"], "one\ntwo\n",
        "kept without a report"
    );
    assert!(pool.stream(task, Some(&token)).await.contains("one\\ntwo"));
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_cut() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let token = pool.token(&requester).await;
    worker.write(task, 0, "one ").await;
    let mut first = Open::new(&pool, task, &token, "").await;
    first.until("one ").await;
    let id = first.last_id();
    drop(first);
    worker.write(task, 4, "héllo ").await;
    let mut second = Open::new(&pool, task, &token, &id).await;
    second.until("héllo").await;
    assert_eq!(second.output(), "héllo ");
    assert_eq!(second.events("log")[0]["offset"], 4);
    assert_eq!(second.events("log")[0]["run"], RUN);
    let mut whole = Logs::default();
    whole.add(RUN, Stream::Stdout, 0, "one héllo world");
    failed(&mut worker, task, Some(whole)).await;
    second.until("event: end").await;
    assert_eq!(second.output(), "héllo world");
    let path = format!(
        "/tasks/{task}/stream?authorization={token}&after={}",
        second.last_id()
    );
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = pool.router.clone().oneshot(request).await.unwrap();
    let stored = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    assert!(
        !String::from_utf8_lossy(&stored).contains("event: log"),
        "all of it is known"
    );
    let mut stored = Open::new(&pool, task, &token, &id).await;
    stored.until("event: end").await;
    assert_eq!(
        stored.output(),
        "héllo world",
        "the stored output has the same offsets"
    );
}

#[tokio::test]
async fn what_is_not_kept_is_a_gap() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let token = pool.token(&requester).await;
    worker.write(task, 0, "one ").await;
    let mut stream = Open::new(&pool, task, &token, "").await;
    stream.until("one ").await;
    worker.write(task, 1_000, "much later").await;
    stream.until("much later").await;
    let gap = &stream.events("gap")[0];
    assert_eq!((&gap["offset"], &gap["missing"]), (&4.into(), &996.into()));
    assert_eq!(stream.events("log")[1]["offset"], 1_000);
    worker
        .write(task, 1_010, &"x".repeat(3 * LOG_CHARS_MAX))
        .await;
    let id = stream.last_id();
    drop(stream);
    failed(&mut worker, task, None).await;
    let mut late = Open::new(&pool, task, &token, &id).await;
    late.until("event: end").await;
    let missing = late.events("gap")[0]["missing"].as_u64().unwrap();
    assert_eq!(
        missing + late.output().len() as u64,
        3 * LOG_CHARS_MAX as u64
    );
}

#[tokio::test]
async fn a_pool_that_comes_back_says_how_much_it_heard() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("pool.db").display());
    let chain = Script::new();
    let pool = Pool::start(&chain, config(&url)).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let token = pool.token(&requester).await;
    worker.write(task, 0, "one ").await;
    let mut stream = Open::new(&pool, task, &token, "").await;
    stream.until("one ").await;
    let id = stream.last_id();
    let busy = vec![Busy {
        task,
        status: Computing,
    }];
    let mut worker = Worker::dial_busy(&pool, worker.wallet.clone(), busy.clone()).await;
    let mark = Mark {
        run: RUN,
        stdout: 4,
        stderr: 0,
    };
    assert_eq!(worker.heard().await, [Heard { task, mark }]);
    pool.stop().await;
    let pool = Pool::start(&chain, config(&url)).await;
    let mut worker = Worker::dial_busy(&pool, worker.wallet.clone(), busy).await;
    assert_eq!(worker.heard().await, [], "output lives in memory");
    worker.write(task, 0, "one two").await;
    let token = pool.token(&requester).await;
    let mut stream = Open::new(&pool, task, &token, &id).await;
    stream.until("two").await;
    assert_eq!(stream.output(), "two");
}

#[tokio::test]
async fn progress_says_of_what() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let token = pool.token(&requester).await;
    let mut stream = Open::new(&pool, task, &token, "").await;
    let (phase, percent) = (Phase::App, 37);
    let frame = ToPool::Progress {
        task,
        phase,
        percent,
    };
    // The subscription is made by the stream's own task: what it has told is after it.
    stream.until("COMPUTING").await;
    let told = stream.until("\"percent\"");
    worker.send(&frame).await;
    told.await;
    let progress = &stream.events("progress")[0];
    assert_eq!(
        (&progress["phase"], &progress["percent"]),
        (&"app".into(), &37.into())
    );
}

#[tokio::test]
async fn a_slow_watcher_loses_nothing_that_is_kept() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let token = pool.token(&requester).await;
    let mut slow = Open::new(&pool, task, &token, "").await;
    let mut expected = String::new();
    for number in 0..5_000 {
        let line = format!("{number}\n");
        worker.write(task, expected.len() as u64, &line).await;
        expected.push_str(&line);
    }
    failed(&mut worker, task, None).await;
    slow.until("event: end").await;
    assert_eq!(slow.output(), expected);
    assert!(slow.events("gap").is_empty());
}

#[tokio::test]
async fn output_is_kept_for_the_configured_time_after_the_final_deadline() {
    const KEPT_S: u64 = 1_000;
    let config = Config {
        logs_kept_s: KEPT_S,
        ..memory()
    };
    let pool = Pool::start(&Script::new(), config).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let mut logs = Logs::default();
    logs.add(RUN, Stream::Stdout, 0, "kept for a while");
    failed(&mut worker, task, Some(logs)).await;
    let model = pool.end_of(task).await;
    let deadline: jiff::Timestamp = model["finalDeadline"].as_str().unwrap().parse().unwrap();
    let end = deadline.as_second() as u64 + KEPT_S;
    let token = pool.token(&requester).await;
    let path = format!("/tasks/{task}/logs");
    let (database, clock) = &pool.parts;
    for (seconds, status) in [(end - 60, StatusCode::OK), (end + 1, StatusCode::NOT_FOUND)] {
        // A clock of its own: the pool's must not pass the lifetime of the token.
        let later = Clock::default();
        later.chain_says(seconds);
        assert!(later.now() >= clock.now());
        purge_once(database, &later).await;
        assert_eq!(pool.get_with(&path, Some(&token)).await.0, status);
    }
}

#[tokio::test]
async fn a_requester_has_its_share_of_streams() {
    let pool = Pool::start(&Script::new(), memory()).await;
    let mut worker = Worker::log_in(&pool).await;
    let requester = Wallet::random();
    let task = run_until_computing(&pool, &mut worker, requester.address()).await;
    let token = pool.token(&requester).await;
    let mut open = Vec::new();
    let path = format!("/tasks/{task}/stream?authorization={token}");
    let status = loop {
        let request = Request::get(&path).body(Body::empty()).unwrap();
        let response = pool.router.clone().oneshot(request).await.unwrap();
        match response.status() {
            StatusCode::OK => open.push(response),
            refused => break refused,
        }
    };
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(open.len() > 1);
    let public = format!("/tasks/{task}/stream");
    let request = Request::get(&public).body(Body::empty()).unwrap();
    let response = pool.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "others are let in");
}
