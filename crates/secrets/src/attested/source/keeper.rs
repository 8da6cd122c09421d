//! Keeps collateral fresh: in memory, on disk, and from whoever publishes it.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use attest::{Collateral, Family, Origin, Trust};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    Lack, folder,
    pcs::{Failure, Publisher},
    schedule::{Asked, Known, Step},
};

/// Families that are kept at once; nobody is asked about more.
const FAMILIES_MAX: usize = folder::FILES_MAX;

/// A cache that fills itself. Only machines whose certificates hold are asked about.
pub(in crate::attested) struct Keeper {
    folder: PathBuf,
    trust: Trust,
    publisher: Box<dyn Publisher>,
    shelves: Mutex<HashMap<Family, Arc<Shelf>>>,
}

/// What is kept for one family.
struct Shelf {
    origin: Origin,
    kept: Mutex<Kept>,
    /// Whose turn it is to fetch.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    collateral: Option<Arc<Collateral>>,
    known: Known,
}

impl Shelf {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, now: u64) -> Step {
        self.kept().known.step(now)
    }

    fn good(&self, now: u64) -> Option<Arc<Collateral>> {
        let collateral = self.kept().collateral.clone()?;
        collateral.check(now).is_ok().then_some(collateral)
    }

    /// Keeps `fresh` unless what is there is good for longer; false then. With the same dates, its
    /// lists of revocations may be newer.
    fn keep(&self, fresh: &Arc<Collateral>, asked: Asked) -> bool {
        let mut kept = self.kept();
        kept.known.asked = Some(asked);
        let good_until = fresh.expires_at().ok();
        let is_newer = good_until >= kept.known.good_until;
        if is_newer {
            kept.known.good_until = good_until;
            kept.collateral = Some(Arc::clone(fresh));
        }
        is_newer
    }
}

impl Keeper {
    /// Nothing is read or asked for yet.
    pub(super) fn new(folder: PathBuf, trust: Trust, publisher: Box<dyn Publisher>) -> Self {
        Self {
            folder,
            trust,
            publisher,
            shelves: Mutex::default(),
        }
    }

    /// What is published about the machine of `quote`, good at `now`. Waits for somebody else only
    /// when nothing good is kept.
    pub(super) async fn collateral(
        self: &Arc<Self>,
        quote: &[u8],
        now: u64,
    ) -> Result<Arc<Collateral>, Lack> {
        let family = Family::of_quote(quote).map_err(Lack::Rejected)?;
        let known = self.shelves().get(&family).map(Arc::clone);
        let shelf = match known {
            Some(shelf) => shelf,
            None => self.open(quote, now).await?,
        };
        match shelf.step(now) {
            Step::Serve | Step::Refuse => {}
            Step::Renew => drop(self.spawn(&shelf, now)),
            Step::Fetch => drop(self.spawn(&shelf, now).await),
        }
        shelf.good(now).ok_or(Lack::Missing)
    }

    /// Fetches what is due; each handle is one fetch.
    pub(super) fn renew(self: &Arc<Self>, now: u64) -> Vec<JoinHandle<()>> {
        let shelves: Vec<_> = self.shelves().values().map(Arc::clone).collect();
        let due = shelves
            .iter()
            .filter(|one| matches!(one.step(now), Step::Renew | Step::Fetch));
        due.map(|shelf| self.spawn(shelf, now)).collect()
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<Family, Arc<Shelf>>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for the family of `quote`, with what the disk has.
    async fn open(self: &Arc<Self>, quote: &[u8], now: u64) -> Result<Arc<Shelf>, Lack> {
        let (keeper, quote) = (Arc::clone(self), quote.to_vec());
        let read = spawn_blocking(move || keeper.read(&quote, now));
        let shelf = read.await.map_err(|_| Lack::Missing)??;
        let mut shelves = self.shelves();
        if shelves.len() >= FAMILIES_MAX {
            shelves.retain(|_, one| one.step(now) != Step::Fetch);
        }
        if shelves.len() >= FAMILIES_MAX {
            tracing::warn!("no room for the collateral of another family");
            return Err(Lack::Missing);
        }
        let family = shelf.origin.family();
        let shelf = shelves.entry(family).or_insert_with(|| Arc::new(shelf));
        Ok(Arc::clone(shelf))
    }

    fn read(&self, quote: &[u8], now: u64) -> Result<Shelf, Lack> {
        let origin = Origin::of_quote(quote, &self.trust, now).map_err(Lack::Rejected)?;
        let shelf = Shelf {
            origin,
            kept: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        };
        if let Some(found) = folder::newest(&self.folder, shelf.origin.family(), now) {
            match shelf.origin.check(&found.collateral, &self.trust, now) {
                Err(error) => tracing::warn!(%error, "a file in the folder is not used"),
                Ok(()) => {
                    let (at, is_ok) = (found.written_at, true);
                    shelf.keep(&Arc::new(found.collateral), Asked { at, is_ok });
                }
            }
        }
        Ok(shelf)
    }

    /// A fetch of its own, which goes on when whoever wanted it is gone.
    fn spawn(self: &Arc<Self>, shelf: &Arc<Shelf>, now: u64) -> JoinHandle<()> {
        let (keeper, shelf) = (Arc::clone(self), Arc::clone(shelf));
        tokio::spawn(async move { keeper.fetch(&shelf, now).await })
    }

    /// One for each family at once: who comes second finds it done.
    async fn fetch(&self, shelf: &Shelf, now: u64) {
        let _turn = match shelf.step(now) {
            Step::Serve | Step::Refuse => return,
            Step::Fetch => shelf.turn.lock().await,
            Step::Renew => match shelf.turn.try_lock() {
                Ok(turn) => turn,
                Err(_) => return,
            },
        };
        if matches!(shelf.step(now), Step::Serve | Step::Refuse) {
            return;
        }
        let family = shelf.origin.family();
        match self.fetch_good(shelf, now).await {
            Ok(fresh) => {
                tracing::info!(?family, "collateral fetched");
                if shelf.keep(
                    &fresh,
                    Asked {
                        at: now,
                        is_ok: true,
                    },
                ) {
                    self.write(family, fresh).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, ?family, "collateral cannot be fetched");
                shelf.kept().known.asked = Some(Asked {
                    at: now,
                    is_ok: false,
                });
            }
        }
        if let Some(collateral) = shelf.good(now) {
            folder::warn_if_low(&collateral, now);
        }
    }

    async fn fetch_good(&self, shelf: &Shelf, now: u64) -> Result<Arc<Collateral>, Failure> {
        let fresh = self.publisher.fetch(shelf.origin.family()).await?;
        shelf.origin.check(&fresh, &self.trust, now)?;
        Ok(Arc::new(fresh))
    }

    /// What cannot be kept on disk is good all the same, until the next start.
    async fn write(&self, family: Family, fresh: Arc<Collateral>) {
        let folder = self.folder.clone();
        let written = spawn_blocking(move || folder::write(&folder, family, &fresh)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "collateral cannot be written");
        }
    }
}
