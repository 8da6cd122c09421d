//! The listening half of a watch: chain heads, the pool's stream, and the final deadline.

use std::{pin::Pin, time::Duration};

use chain::Wallet;
use futures_util::{Stream, StreamExt};
use protocol::{
    TaskId,
    deal::{Deal, TaskStatus},
};
use tokio::time::{Instant, sleep_until};

use crate::{
    Client, Error,
    deal::final_time,
    services::{
        compass,
        pool::{self, PoolEvent},
    },
    watch::{Outcome, Tracker, Update},
};

/// Tries in a row to open the pool's stream before the chain alone is followed: the pool may learn
/// of a deal a moment after us, and a pool that is started again is away for a while.
const OPEN_TRIES_MAX: u32 = 20;
/// First pause between two tries when no block comes in the meantime.
const OPEN_RETRY_MS: u64 = 500;
/// Longest pause: with all tries a stream that broke off is sought for more than a minute.
const OPEN_RETRY_MS_MAX: u64 = 5_000;
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
    let mut pool = Pool::of(client, deal, id, wallet).await;
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
            pool.open().await;
            let (next_try, is_worth_trying) = (pool.next_try, pool.is_worth_trying());
            tokio::select! {
                Ok(()) = heads.changed() => {
                    pool.expect_soon();
                    break;
                }
                event = pool.next() => {
                    let Some(event) = event else { continue };
                    if pool.tell(event, &mut tracker, &mut show).await {
                        break;
                    }
                }
                () = sleep_until(next_try), if is_worth_trying => break,
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
    /// Behind the last output that came.
    position: Option<String>,
    /// In a row.
    tries: u32,
    next_try: Instant,
    was_open: bool,
    events: Option<Events>,
}

impl<'a> Pool<'a> {
    async fn of(client: &'a Client, deal: &Deal, id: TaskId, wallet: Option<&'a Wallet>) -> Self {
        let url = compass::pool_url(client, deal.workerpool.pointer).await;
        Self {
            client,
            id,
            wallet,
            url: url.ok().flatten(),
            token: None,
            position: None,
            tries: 0,
            next_try: Instant::now(),
            was_open: false,
            events: None,
        }
    }

    /// Shows an event; true when the chain is worth asking at once.
    async fn tell(
        &mut self,
        event: PoolEvent,
        tracker: &mut Tracker,
        show: &mut impl FnMut(Update),
    ) -> bool {
        let was_done = tracker.is_pool_done();
        tracker.on_pool(event).into_iter().for_each(&mut *show);
        if tracker.outcome().is_some() {
            // what the app wrote may come behind the step that ended it
            self.catch_up(tracker, show).await;
        }
        tracker.is_pool_done() && !was_done
    }

    async fn login(&mut self) {
        if let (None, Some(url), Some(wallet)) = (&self.token, &self.url, self.wallet) {
            self.token = pool::token(self.client, url, wallet).await.ok();
        }
    }

    fn is_worth_trying(&self) -> bool {
        self.url.is_some() && self.events.is_none() && self.tries < OPEN_TRIES_MAX
    }

    /// A pool that did not know the task may have seen its deal in the block that came.
    fn expect_soon(&mut self) {
        if !self.was_open {
            self.next_try = Instant::now();
        }
    }

    async fn open(&mut self) {
        if !self.is_worth_trying() || Instant::now() < self.next_try {
            return;
        }
        let pause = OPEN_RETRY_MS.saturating_mul(1 << self.tries.min(8));
        self.tries += 1;
        self.login().await;
        let url = self.url.as_deref().unwrap_or_default();
        let after = self.position.as_deref();
        match pool::stream(self.client, url, self.id, self.token.as_deref(), after).await {
            Ok(events) => {
                self.was_open = true;
                self.events = Some(Box::pin(events));
            }
            Err(error) => {
                tracing::debug!(%error, "no live stream yet");
                // a pool that was started again does not know its tokens any more
                self.token = None;
            }
        }
        self.next_try = Instant::now() + Duration::from_millis(pause.min(OPEN_RETRY_MS_MAX));
    }

    /// Hears the pool out, for a moment.
    async fn catch_up(&mut self, tracker: &mut Tracker, show: &mut impl FnMut(Update)) {
        let rest = async {
            while self.events.is_some() || self.is_worth_trying() {
                if self.events.is_none() {
                    sleep_until(self.next_try).await;
                    self.open().await;
                    continue;
                }
                match self.next().await {
                    Some(PoolEvent::End) => return,
                    Some(event) => tracker.on_pool(event).into_iter().for_each(&mut *show),
                    None => {}
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
        match &next {
            None => self.events = None, // broke off: opened again soon
            Some(PoolEvent::End) => self.tries = OPEN_TRIES_MAX,
            Some(event) => {
                self.tries = 0;
                if let PoolEvent::Log { position, .. } = event {
                    self.position = Some(position.clone());
                }
            }
        }
        next
    }
}
