//! The loop that owns a wallet's transactions: it alone signs, sends and watches them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use alloy::{
    network::TransactionBuilder as _,
    primitives::B256,
    rpc::types::TransactionRequest,
    transports::{TransportError, TransportErrorKind},
};
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior},
};

use super::{
    journal::{Journal, Line},
    node::{Answer, Node},
    queue::{Act, Entry, Offer, Queue, Sight},
};
use crate::{Error, fees::Fees};

/// How often the chain is asked what became of the transactions: two cheap questions, and none
/// while nothing waits and no block comes.
const LOOK_MS: u64 = 1_000;
/// Commands that wait for the loop; more callers wait for room.
pub(super) const COMMANDS_MAX: usize = 1_024;
/// Transactions that are written down together: one wait for the disk, and bounded work if a
/// refusal makes the rest be signed again.
const BATCH_MAX: usize = 64;
/// Attempts at one transaction after the node and we disagree on the nonce.
const DISPUTES_MAX: usize = 3;

/// What whoever waits for a transaction needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    /// Of all its forms, the newest last.
    pub(super) hashes: Vec<B256>,
    /// Its nonce is used: one of the hashes has a receipt, or somebody else took the nonce.
    pub(super) is_used: bool,
}

/// A transaction of the queue, and that somebody waits for it.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) place: Place,
    pub(super) track: watch::Receiver<Track>,
}

/// Which transaction: a nonce can be used again after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) nonce: u64,
    pub(super) first: B256,
}

/// A transaction to be sent.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) what: &'static str,
    pub(super) intent: B256,
    /// Whether the caller named the intent, so that there can be only one.
    pub(super) is_named: bool,
    pub(super) request: TransactionRequest,
    pub(super) fees: Fees,
    /// The most that one gas may ever cost, in wei.
    pub(super) cap: u128,
    pub(super) disputes: usize,
    pub(super) reply: oneshot::Sender<Result<Ticket, Error>>,
}

/// What callers want.
#[derive(Debug)]
pub(super) enum Command {
    /// A transaction for this intent that nobody else waits for.
    Find {
        intent: B256,
        is_named: bool,
        reply: oneshot::Sender<Option<Ticket>>,
    },
    Submit(Box<Order>),
    /// The caller knows how it ended.
    Done(Place),
    /// The nonce was used by somebody else's transaction.
    Lost(Place),
}

pub(super) struct Keeper {
    node: Arc<Node>,
    heads: watch::Receiver<u64>,
    queue: Queue,
    tracks: BTreeMap<u64, watch::Sender<Track>>,
    journal: Option<Journal>,
    started: Instant,
}

impl Keeper {
    pub(super) fn new(
        node: Arc<Node>,
        heads: watch::Receiver<u64>,
        queue: Queue,
        journal: Option<Journal>,
    ) -> Self {
        let tracks = queue.entries().iter();
        let tracks = tracks.map(|(nonce, entry)| (*nonce, watch::Sender::new(track(entry))));
        Self {
            tracks: tracks.collect(),
            node,
            heads,
            queue,
            journal,
            started: Instant::now(),
        }
    }

    /// Starts the loop. It ends when nobody can give it commands any more.
    pub(super) fn start(self) -> mpsc::Sender<Command> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        tokio::spawn(self.run(inbox));
        commands
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(LOOK_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks: FuturesUnordered<BoxFuture<'static, Result<Sight, Error>>> =
            FuturesUnordered::new();
        let mut commands = Vec::new();
        loop {
            tokio::select! {
                count = inbox.recv_many(&mut commands, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                    let was_empty = self.queue.is_empty();
                    self.obey(commands.drain(..)).await;
                    if was_empty {
                        // a chain that mines at once needs no look
                        ticks.reset();
                    }
                }
                Some(sight) = looks.next() => match sight {
                    Ok(sight) => self.see(sight).await,
                    Err(error) => tracing::debug!(%error, "the transactions cannot be looked at"),
                },
                _ = ticks.tick(), if !self.queue.is_empty() && looks.is_empty() => {
                    if self.wants_look() {
                        looks.push(self.look());
                    }
                }
            }
        }
    }

    fn now(&self) -> u64 {
        self.started
            .elapsed()
            .as_millis()
            .try_into()
            .unwrap_or(u64::MAX)
    }

    fn wants_look(&self) -> bool {
        self.queue.is_waiting() || self.heads.has_changed().unwrap_or(true)
    }

    fn look(&mut self) -> BoxFuture<'static, Result<Sight, Error>> {
        let (node, now) = (self.node.clone(), self.now());
        let head = *self.heads.borrow_and_update();
        Box::pin(async move { node.sight(head, now).await })
    }

    async fn obey(&mut self, commands: impl Iterator<Item = Command>) {
        let mut orders = VecDeque::new();
        for command in commands {
            match command {
                Command::Find {
                    intent,
                    is_named,
                    reply,
                } => {
                    let found = self.find(intent, is_named).await;
                    // whoever asked may be gone: then nobody waits
                    drop(reply.send(found));
                }
                Command::Submit(order) => orders.push_back(*order),
                Command::Done(place) => self.done(place).await,
                Command::Lost(place) => self.lost(place).await,
            }
        }
        self.submit(orders).await;
    }

    /// A transaction that a caller left behind, or that a reorganisation took back, is what the
    /// next caller with the same intent wants. A mined one that was answered is another's.
    async fn find(&mut self, intent: B256, is_named: bool) -> Option<Ticket> {
        let is_doubtful = self.twins(intent).any(|(_, entry)| entry.is_done);
        // it may have been mined or taken back since the last look
        let is_known = is_named || !is_doubtful || self.look_now().await;
        let is_left = |(nonce, entry): &(u64, &Entry)| {
            let is_answered = entry.is_done && (entry.is_mined() || !is_known);
            is_named || !(is_answered || self.is_awaited(*nonce))
        };
        let nonce = self.twins(intent).find(is_left)?.0;
        self.ticket(nonce)
    }

    async fn look_now(&mut self) -> bool {
        match self.look().await {
            Ok(sight) => self.see(sight).await,
            Err(error) => {
                tracing::debug!(%error, "the transactions cannot be looked at");
                return false;
            }
        }
        true
    }

    fn twins(&self, intent: B256) -> impl Iterator<Item = (u64, &Entry)> {
        let entries = self.queue.entries().iter();
        let entries = entries.map(|(nonce, entry)| (*nonce, entry));
        entries.filter(move |(_, entry)| entry.intent == intent)
    }

    fn is_awaited(&self, nonce: u64) -> bool {
        let track = self.tracks.get(&nonce);
        track.is_some_and(|track| track.receiver_count() > 0)
    }

    fn ticket(&self, nonce: u64) -> Option<Ticket> {
        let first = self.queue.entries().get(&nonce)?.offers.first()?.hash;
        Some(Ticket {
            place: Place { nonce, first },
            track: self.tracks.get(&nonce)?.subscribe(),
        })
    }

    fn entry(&mut self, place: Place) -> Option<&mut Entry> {
        let entry = self.queue.entry(place.nonce)?;
        let first = entry.offers.first()?.hash;
        (first == place.first).then_some(entry)
    }

    async fn done(&mut self, place: Place) {
        if let Some(entry) = self.entry(place) {
            entry.is_done = true;
            let nonce = place.nonce;
            self.note(&[Line::Done { nonce }]).await;
        }
    }

    async fn lost(&mut self, place: Place) {
        if self.entry(place).is_some() {
            self.queue.reset();
            self.forget(&[place.nonce]).await;
        }
    }

    async fn forget(&mut self, nonces: &[u64]) {
        for nonce in nonces {
            self.queue.remove(*nonce);
            self.tracks.remove(nonce);
        }
        self.over(nonces.iter().copied()).await;
    }

    async fn over(&mut self, nonces: impl Iterator<Item = u64>) {
        let lines: Vec<_> = nonces.map(|nonce| Line::Over { nonce }).collect();
        self.note(&lines).await;
        let Some(journal) = &mut self.journal else {
            return;
        };
        if let Err(error) = journal.compact(&self.queue).await {
            tracing::warn!(%error, "the journal of transactions cannot be written anew");
        }
    }

    /// Writes down what may be lost: it would only be found out again.
    async fn note(&mut self, lines: &[Line]) {
        if let Some(journal) = &mut self.journal
            && !lines.is_empty()
            && let Err(error) = journal.append(lines, false).await
        {
            tracing::warn!(%error, "the journal of transactions cannot be written");
        }
    }

    /// Writes down what must be known before it is sent.
    async fn promise(&mut self, lines: &[Line]) -> Result<(), Error> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let written = journal.append(lines, true).await;
        written.map_err(|source| Error::Journal {
            path: journal.path().to_owned(),
            source,
        })
    }
}

/// Sending what is new.
impl Keeper {
    async fn submit(&mut self, mut orders: VecDeque<Order>) {
        while !orders.is_empty() {
            orders.retain(|order| !order.reply.is_closed());
            let later = self.join_named(&mut orders);
            if let Err(error) = self.round(&mut orders).await {
                for order in orders.drain(..) {
                    drop(order.reply.send(Err(copy(&error))));
                }
            }
            orders.extend(later);
        }
    }

    /// Callers may have found nothing for the same name at once; those behind the first wait for
    /// its transaction. Returns those for whom there is none yet.
    fn join_named(&self, orders: &mut VecDeque<Order>) -> VecDeque<Order> {
        let (mut names, mut later) = (BTreeSet::new(), VecDeque::new());
        for order in std::mem::take(orders) {
            let twin = self.twins(order.intent).next();
            match twin.and_then(|(nonce, _)| self.ticket(nonce)) {
                _ if !order.is_named => orders.push_back(order),
                Some(ticket) => drop(order.reply.send(Ok(ticket))),
                None if names.insert(order.intent) => orders.push_back(order),
                None => later.push_back(order),
            }
        }
        later
    }

    /// Signs all, writes all down, and hands over one after the other until the node refuses one:
    /// its nonce is the next one's, so those behind it stay for another round. An error is of all.
    async fn round(&mut self, orders: &mut VecDeque<Order>) -> Result<(), Error> {
        let signed = self.sign(orders).await?;
        let lines = signed.iter().zip(orders.iter());
        let lines = lines.map(|((nonce, offer), order)| {
            Line::sent(*nonce, order.intent, offer.raw.clone(), order.cap)
        });
        self.promise(&lines.collect::<Vec<_>>()).await?;
        let mut is_silent = false;
        let mut signed = signed.into_iter();
        while let Some((nonce, offer)) = signed.next() {
            let Some(order) = orders.pop_front() else {
                break;
            };
            let answer = match is_silent {
                true => None,
                false => Some(self.node.hand(&offer).await),
            };
            match answer {
                Some(Answer::Disputed(error)) => {
                    self.queue.reset();
                    disputed(order, error, orders);
                }
                Some(Answer::Refused(error)) => {
                    self.queue.give_back(nonce);
                    refused(order, error);
                }
                other => {
                    is_silent = !matches!(other, Some(Answer::Taken));
                    self.sent(nonce, offer, order, !is_silent);
                    continue;
                }
            }
            let unused = std::iter::once(nonce).chain(signed.map(|(nonce, _)| nonce));
            self.over(unused.collect::<Vec<_>>().into_iter()).await;
            return Ok(());
        }
        Ok(())
    }

    async fn sign(&mut self, orders: &VecDeque<Order>) -> Result<Vec<(u64, Offer)>, Error> {
        let head = *self.heads.borrow();
        let mut nonce = match self.queue.next(head) {
            Some(nonce) => nonce,
            None if orders.is_empty() => return Ok(Vec::new()),
            None => self.queue.free(self.node.pending().await?),
        };
        let mut signed = Vec::new();
        for order in orders {
            let request = order.request.clone().with_nonce(nonce);
            signed.push((nonce, self.node.sign(request, order.fees).await?));
            nonce = self.queue.free(nonce + 1);
        }
        Ok(signed)
    }

    /// The node has it, or may have it: then it gets it again.
    fn sent(&mut self, nonce: u64, offer: Offer, order: Order, is_sure: bool) {
        let mut entry = Entry::new(order.intent, offer, order.cap);
        entry.tried = is_sure.then(|| self.now());
        self.tracks.insert(nonce, watch::Sender::new(track(&entry)));
        self.queue
            .insert(nonce, entry, self.now(), *self.heads.borrow());
        if let Some(ticket) = self.ticket(nonce) {
            drop(order.reply.send(Ok(ticket)));
        }
    }
}

/// Seeing to what was sent.
impl Keeper {
    async fn see(&mut self, sight: Sight) {
        let patience = self.node.policy.raise_after_s.saturating_mul(1_000);
        let (mut raises, mut deep, mut is_silent) = (Vec::new(), Vec::new(), false);
        for act in self.queue.look(sight, patience) {
            match act {
                Act::Forget(nonce) => deep.push(nonce),
                Act::Raise(nonce) => raises.push(nonce),
                Act::Resend(_) if is_silent => {}
                Act::Resend(nonce) => is_silent = !self.resend(nonce).await,
            }
        }
        if !raises.is_empty() && !is_silent {
            self.raise(&raises, sight).await;
        }
        if !deep.is_empty() {
            self.forget(&deep).await;
        }
        for (nonce, entry) in self.queue.entries() {
            if let Some(told) = self.tracks.get(nonce) {
                let track = track(entry);
                told.send_if_modified(|old| std::mem::replace(old, track.clone()) != track);
            }
        }
    }

    /// The newest form, or the newest that the node takes; false if nobody answers.
    async fn resend(&mut self, nonce: u64) -> bool {
        let now = self.now();
        let Some(entry) = self.queue.entry(nonce) else {
            return true;
        };
        for offer in entry.offers.iter().rev() {
            match self.node.hand(offer).await {
                Answer::Silence(error) => {
                    tracing::debug!(nonce, %error, "a transaction cannot be sent again");
                    return false;
                }
                Answer::Taken => {
                    tracing::info!(nonce, tx = %offer.hash, "sent a transaction again");
                    entry.tried = Some(now);
                    return true;
                }
                Answer::Disputed(error) | Answer::Refused(error) => {
                    tracing::debug!(nonce, tx = %offer.hash, %error, "not taken again");
                }
            }
        }
        entry.tried = Some(now);
        true
    }

    async fn raise(&mut self, nonces: &[u64], sight: Sight) {
        let prices = match self.node.prices().await {
            Ok(prices) => prices,
            Err(error) => return tracing::debug!(%error, "no prices to raise an offer to"),
        };
        for nonce in nonces {
            if let Some(fees) = self.queue.raised(*nonce, prices, sight)
                && let Err(error) = self.replace(*nonce, fees).await
            {
                tracing::warn!(nonce, %error, "a transaction that waits cannot be made dearer");
            }
        }
    }

    async fn replace(&mut self, nonce: u64, fees: Fees) -> Result<(), Error> {
        let Some(entry) = self.queue.entry(nonce) else {
            return Ok(());
        };
        let (intent, cap) = (entry.intent, entry.cap);
        let Some(newest) = entry.offers.last().cloned() else {
            return Ok(());
        };
        let offer = self.node.sign_again(&newest, fees).await?;
        let line = Line::sent(nonce, intent, offer.raw.clone(), cap);
        self.promise(&[line]).await?;
        self.queue.offer(nonce, offer.clone());
        let answer = self.node.hand(&offer).await;
        tracing::info!(nonce, tx = %offer.hash, most = fees.most(), ?answer, "offered more");
        Ok(())
    }
}

fn track(entry: &Entry) -> Track {
    Track {
        hashes: entry.offers.iter().map(|offer| offer.hash).collect(),
        is_used: entry.is_mined(),
    }
}

fn disputed(mut order: Order, error: TransportError, orders: &mut VecDeque<Order>) {
    order.disputes += 1;
    match order.disputes > DISPUTES_MAX {
        true => refused(order, error),
        false => orders.push_front(order),
    }
}

fn refused(order: Order, error: TransportError) {
    let error = Error::from_transport(order.what, error);
    drop(order.reply.send(Err(error)));
}

/// One failure that many callers hear of.
fn copy(error: &Error) -> Error {
    match error {
        Error::Signature(why) => Error::Signature(why.clone()),
        Error::Refused { what, reason } => Error::Refused {
            what,
            reason: reason.clone(),
        },
        Error::Journal { path, source } => Error::Journal {
            path: path.clone(),
            source: io::Error::new(source.kind(), source.to_string()),
        },
        Error::Unreachable { what, source } => Error::Unreachable {
            what,
            source: Box::new(TransportErrorKind::custom_str(&source.to_string())),
        },
        other => Error::Unreachable {
            what: "eth_getTransactionCount",
            source: Box::new(TransportErrorKind::custom_str(&other.to_string())),
        },
    }
}
