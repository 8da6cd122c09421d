//! The listening half of a watch: chain heads, the pool's stream, and the final deadline.

use std::{pin::Pin, time::Duration};

use chain::Wallet;
use futures_util::{Stream, StreamExt};
use protocol::{
    TaskId,
    deal::{Deal, TaskStatus},
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    Client, Error,
    deal::final_time,
    services::{
        compass,
        pool::{self, PoolEvent},
    },
    watch::{Outcome, Tracker, Update},
};

/// Tries to open the pool's stream before the chain alone is followed: the pool may learn of a
/// deal a moment after us.
const OPEN_TRIES_MAX: u32 = 20;
/// Between two tries when no block comes in the meantime.
const OPEN_RETRY: Duration = Duration::from_millis(500);
/// How long the pool may take to tell the rest once the chain says that the task is completed: the
/// end of the output, and whether the result is only the report of a failed download.
const CATCH_UP_MS: u64 = 3_000;
/// Failed reads of the chain in a row before the watch gives up.
const CHAIN_ERRORS_MAX: u32 = 10;

type Events = Pin<Box<dyn Stream<Item = PoolEvent> + Send>>;

/// Follows the task at `index` (absolute) of `deal` to its end, which the final deadline bounds.
/// With the requester's wallet the app's output is followed too.
///
/// # Errors
/// [`Error::Chain`] when the chain stays silent; the pool's silence is no error.
pub async fn task(
    client: &Client,
    deal: &Deal,
    index: u64,
    wallet: Option<&Wallet>,
    mut show: impl FnMut(Update),
) -> Result<Outcome, Error> {
    let last = final_time(client, deal).await?;
    let left = last.saturating_sub(client.now().await?);
    let deadline = Instant::now() + Duration::from_secs(left);
    let wallet = wallet.filter(|wallet| wallet.address() == deal.requester);
    let id = deal.id.task(index);
    let mut pool = Pool {
        client,
        id,
        wallet,
        url: None,
        token: None,
        tries: 0,
        events: None,
    };
    pool.locate(deal).await;
    let mut tracker = Tracker::default();
    let mut heads = client.hub().heads();
    let mut errors = 0;
    loop {
        heads.borrow_and_update();
        match client.hub().task(id).await {
            Ok(task) => {
                errors = 0;
                let status = task.map(|task| task.status);
                if status == Some(TaskStatus::Completed) {
                    pool.catch_up(&mut tracker, &mut show).await;
                }
                tracker.on_chain(status).into_iter().for_each(&mut show);
            }
            Err(error) if errors >= CHAIN_ERRORS_MAX => {
                return Err(Error::chain("read the task")(error));
            }
            Err(_) => errors += 1,
        }
        // until the next head, only the pool can tell anything new; while it is silent, the chain
        // is asked too: it may be gone as well
        loop {
            if let Some(outcome) = tracker.outcome() {
                return Ok(outcome.clone());
            }
            pool.open(&mut tracker).await;
            tokio::select! {
                Ok(()) = heads.changed() => break,
                event = pool.next() => {
                    let Some(event) = event else { continue };
                    let was_done = tracker.is_pool_done();
                    tracker.on_pool(event).into_iter().for_each(&mut show);
                    if tracker.is_pool_done() && !was_done {
                        break;
                    }
                }
                () = sleep(OPEN_RETRY), if pool.is_worth_trying() => break,
                () = sleep_until(deadline) => {
                    let status = client.hub().task(id).await.ok().flatten().map(|t| t.status);
                    tracker.on_chain(status.filter(|status| *status != TaskStatus::Unset));
                    tracker.on_deadline();
                }
            }
        }
    }
}

/// The pool's side of a watch; closed for ever when it cannot be reached.
struct Pool<'a> {
    client: &'a Client,
    id: TaskId,
    wallet: Option<&'a Wallet>,
    url: Option<String>,
    token: Option<String>,
    tries: u32,
    events: Option<Events>,
}

impl Pool<'_> {
    async fn locate(&mut self, deal: &Deal) {
        let url = compass::pool_url(self.client, deal.workerpool.pointer).await;
        self.url = url.ok().flatten();
    }

    async fn login(&mut self) {
        if let (None, Some(url), Some(wallet)) = (&self.token, &self.url, self.wallet) {
            self.token = pool::token(self.client, url, wallet).await.ok();
        }
    }

    fn is_worth_trying(&self) -> bool {
        self.url.is_some() && self.events.is_none() && self.tries < OPEN_TRIES_MAX
    }

    async fn open(&mut self, tracker: &mut Tracker) {
        if !self.is_worth_trying() {
            return;
        }
        self.tries += 1;
        self.login().await;
        let url = self.url.as_deref().unwrap_or_default();
        match pool::stream(self.client, url, self.id, self.token.as_deref()).await {
            Ok(events) => {
                tracker.on_reconnect();
                self.events = Some(Box::pin(events));
            }
            Err(error) => {
                tracing::debug!(%error, "no live stream yet");
                // a pool that was started again does not know its tokens any more
                self.token = None;
            }
        }
    }

    /// Hears the pool out, for a moment.
    async fn catch_up(&mut self, tracker: &mut Tracker, show: &mut impl FnMut(Update)) {
        let rest = async {
            self.open(tracker).await;
            while self.events.is_some() {
                match self.next().await {
                    Some(PoolEvent::End) | None => return,
                    Some(event) => tracker.on_pool(event).into_iter().for_each(&mut *show),
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(CATCH_UP_MS), rest).await;
    }

    /// The next event, none when the stream broke off; pending while there is no stream.
    async fn next(&mut self) -> Option<PoolEvent> {
        let next = match &mut self.events {
            Some(events) => events.next().await,
            None => std::future::pending().await,
        };
        if next.is_none() {
            self.events = None; // broke off: opened again soon
        }
        if next == Some(PoolEvent::End) {
            self.tries = OPEN_TRIES_MAX;
        }
        next
    }
}
