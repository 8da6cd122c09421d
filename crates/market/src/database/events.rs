//! What listeners were told, numbered without gaps, so that they can go on where they stopped.

use tokio::sync::{broadcast, watch};

use super::{
    Database, Turn,
    row::{damaged, signed, text, unsigned},
};
use crate::{
    Error,
    event::{EVENTS_KEPT_MAX, Event},
};

/// Events kept for listeners that come back: hours of a busy book, a few megabytes.
const BACKLOG_MAX: u64 = 10_000;
/// The backlog is cut when an event with such a number is written: rarely enough to cost nothing.
const BACKLOG_CUT_EVERY: u64 = 256;

/// An event with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// JSON.
    pub(crate) payload: String,
}

/// Wakes whoever listens. Cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct News {
    events: broadcast::Sender<Event>,
    /// Number of the newest event; none when there will be no more.
    newest: watch::Sender<Option<u64>>,
}

impl Default for News {
    fn default() -> Self {
        Self {
            events: broadcast::channel(EVENTS_KEPT_MAX).0,
            newest: watch::channel(Some(0)).0,
        }
    }
}

impl News {
    pub(super) fn set_newest(&self, id: u64) {
        self.newest.send_replace(Some(id));
    }

    pub(super) fn close(&self) {
        self.newest.send_replace(None);
    }

    pub(super) fn tell(&self, events: Vec<Event>, newest: u64) {
        if events.is_empty() {
            return;
        }
        for event in events {
            // Nobody has to listen.
            let _ = self.events.send(event);
        }
        self.set_newest(newest);
    }

    pub(crate) fn sender(&self) -> broadcast::Sender<Event> {
        self.events.clone()
    }

    pub(crate) fn newest(&self) -> watch::Receiver<Option<u64>> {
        self.newest.subscribe()
    }
}

impl Database {
    pub(super) async fn newest_event(&self) -> Result<u64, Error> {
        let row = sqlx::query("select coalesce(max(id), 0) as n from market_events")
            .fetch_one(&self.readers)
            .await
            .map_err(Error::database("read events"))?;
        unsigned(&row, "n")
    }

    /// At most `limit` events after number `since`.
    pub(crate) async fn events_after(&self, since: u64, limit: u64) -> Result<Vec<Told>, Error> {
        let select = "select id, name, payload from market_events where id > $1 \
                      order by id limit $2";
        let rows = sqlx::query(select)
            .bind(signed(since))
            .bind(signed(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(Error::database("read events"))?;
        let told = |row| {
            Ok(Told {
                id: unsigned(row, "id")?,
                name: text(row, "name")?,
                payload: text(row, "payload")?,
            })
        };
        rows.iter().map(told).collect()
    }
}

impl Turn<'_> {
    pub(super) async fn keep_events(&mut self, first: u64, events: &[Event]) -> Result<(), Error> {
        for (id, event) in (first..).zip(events) {
            self.keep_event(id, event).await?;
            if id % BACKLOG_CUT_EVERY == 0 {
                self.cut_backlog(id.saturating_sub(BACKLOG_MAX)).await?;
            }
        }
        Ok(())
    }

    async fn keep_event(&mut self, id: u64, event: &Event) -> Result<(), Error> {
        let payload = serde_json::to_string(&event.payload()).map_err(damaged("event"))?;
        sqlx::query("insert into market_events (id, name, payload) values ($1, $2, $3)")
            .bind(signed(id))
            .bind(event.name())
            .bind(payload)
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("keep an event"))?;
        Ok(())
    }

    async fn cut_backlog(&mut self, up_to: u64) -> Result<(), Error> {
        sqlx::query("delete from market_events where id <= $1")
            .bind(signed(up_to))
            .execute(&mut *self.tx)
            .await
            .map_err(Error::database("forget old events"))?;
        Ok(())
    }
}

#[cfg(test)]
impl Database {
    pub(crate) async fn forget_events(&self, up_to: u64) {
        let mut turn = self.turn().await.unwrap();
        turn.cut_backlog(up_to).await.unwrap();
        turn.commit().await.unwrap();
    }
}
