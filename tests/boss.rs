//! A pool of the test's own: it gives one worker any order, also those that no honest pool gives.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::Response,
    routing::get,
};
use chain::Wallet;
use engine::Engine;
use network::Info;
use protocol::{
    Address, Cause, DealId, TaskId,
    message::{CONNECT_PATH, Flow, Order, Report, ToPool, ToWorker, VERSION},
    status::ReplicateStatus,
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::liar::Extra;

/// Frames waiting in a test.
const FRAMES_MAX: usize = 1_024;

struct Wire {
    hello: ToWorker,
    welcome: ToWorker,
    orders: Mutex<mpsc::Receiver<ToWorker>>,
    frames: mpsc::Sender<ToPool>,
}

/// The pool, with its only worker.
#[derive(Debug)]
pub struct Boss {
    worker: Extra,
    orders: mpsc::Sender<ToWorker>,
    frames: mpsc::Receiver<ToPool>,
    next: u64,
    _stop: DropGuard,
}

impl Boss {
    /// Worker `number` of the local network works for this pool from here on. Results go to
    /// `result_proxy`.
    pub async fn of(
        info: &Info,
        number: u32,
        engine: Arc<dyn Engine>,
        result_proxy: &str,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut info = info.clone();
        info.pool = format!("http://{}", listener.local_addr()?);
        let (orders, received) = mpsc::channel(FRAMES_MAX);
        let (sender, frames) = mpsc::channel(FRAMES_MAX);
        let wire = Arc::new(Wire {
            hello: ToWorker::Challenge {
                challenge: "anything".into(),
                workerpool: info.workerpool,
                chain_id: info.chain_id,
                version: VERSION,
            },
            welcome: ToWorker::Welcome {
                result_proxy: result_proxy.into(),
                sms: None,
                heard: Vec::new(),
            },
            orders: Mutex::new(received),
            frames: sender,
        });
        let router = Router::new().route(CONNECT_PATH, get(connect));
        let stop = CancellationToken::new();
        let served = axum::serve(listener, router.with_state(wire));
        tokio::spawn(stop.clone().run_until_cancelled_owned(served.into_future()));
        let worker = Extra::start(&info, number, engine).await?;
        Ok(Self {
            worker,
            orders,
            frames,
            next: 0,
            _stop: stop.drop_guard(),
        })
    }

    /// The worker's address.
    pub fn worker(&self) -> Address {
        self.worker.address
    }

    /// Has the worker run a task, with a permission signed by `owner`.
    pub async fn run(
        &mut self,
        owner: &Wallet,
        deal: DealId,
        index: u64,
        flow: Flow,
    ) -> Result<TaskId> {
        let worker = self.worker();
        let authorization = chain::authorize(owner, deal, index, worker, Address::ZERO)?;
        let task = authorization.chain_task_id;
        self.order(Order::Run {
            authorization,
            flow,
        })
        .await?;
        Ok(task)
    }

    /// Gives any order.
    pub async fn order(&mut self, order: Order) -> Result<()> {
        self.next += 1;
        let id = self.next;
        Ok(self.orders.send(ToWorker::Order { id, order }).await?)
    }

    /// Waits until the worker has come so far with a task; what it says of other tasks is lost.
    pub async fn reached(&mut self, task: TaskId, status: ReplicateStatus) -> Result<()> {
        while self.report(task).await?.status != status {}
        Ok(())
    }

    /// Waits until the worker gives a task up.
    pub async fn failure(&mut self, task: TaskId) -> Result<(ReplicateStatus, Cause)> {
        loop {
            let report = self.report(task).await?;
            if report.status == ReplicateStatus::Completed {
                bail!("{task} is completed");
            }
            if let Some(cause) = report.cause.filter(|_| report.status.is_failure()) {
                return Ok((report.status, cause));
            }
        }
    }

    async fn report(&mut self, task: TaskId) -> Result<Report> {
        loop {
            let frame = self.frames.recv().await.context("the worker is gone")?;
            if let ToPool::Report { seq, report } = frame {
                self.orders.send(ToWorker::Acknowledge { seq }).await?;
                if report.task == task {
                    return Ok(report);
                }
            }
        }
    }

    /// Ends the worker.
    pub async fn stop(self) -> Result<()> {
        self.worker.stop().await
    }
}

async fn connect(State(wire): State<Arc<Wire>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        // A worker that leaves ends it.
        let _ = serve(&wire, &mut socket).await;
    })
}

async fn serve(wire: &Wire, socket: &mut WebSocket) -> Result<()> {
    say(socket, &wire.hello).await?;
    socket.recv().await.context("no login")??;
    say(socket, &wire.welcome).await?;
    let mut orders = wire.orders.lock().await;
    loop {
        tokio::select! {
            order = orders.recv() => say(socket, &order.context("the test is over")?).await?,
            message = socket.recv() => {
                if let Message::Text(text) = message.context("the worker left")?? {
                    wire.frames.send(serde_json::from_str(&text)?).await?;
                }
            }
        }
    }
}

async fn say(socket: &mut WebSocket, frame: &ToWorker) -> Result<()> {
    let text = serde_json::to_string(frame)?;
    Ok(socket.send(Message::Text(text.into())).await?)
}
