//! Where collateral comes from: a folder that an operator keeps fresh, a service that is asked, or
//! the simulator.

mod folder;
mod keeper;
mod pcs;
mod schedule;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use attest::{Collateral, Family, Rejected, Trust};
use simulator::Simulator;

use keeper::Keeper;

use crate::Error;

/// What verifies the platforms.
pub(super) enum Source {
    /// A folder of files, which somebody else writes.
    Published(PathBuf),
    /// The same, which we fill.
    Fetched(Arc<Keeper>),
    /// Made when asked for.
    Simulated(Simulator),
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Lack {
    /// The quote does not even say for which machine, or no such machine exists.
    Rejected(Rejected),
    /// Nothing fresh for that machine.
    Missing,
}

impl Source {
    /// A folder for genuine platforms, which is filled from `service` if there is one.
    pub(super) fn genuine(folder: PathBuf, service: Option<&str>) -> Result<Self, Error> {
        let Some(url) = service else {
            return Ok(Self::Published(folder));
        };
        let publisher = pcs::Pcs::new(url).ok_or_else(|| Error::Pccs {
            url: url.to_owned(),
        })?;
        std::fs::create_dir_all(&folder).map_err(Error::disk("create", &folder))?;
        let keeper = Keeper::new(folder, Trust::Intel, Box::new(publisher));
        Ok(Self::Fetched(Arc::new(keeper)))
    }

    /// What is published about the machine of `quote`, good at `now`, seconds since 1970.
    pub(super) async fn collateral(&self, quote: &[u8], now: u64) -> Result<Arc<Collateral>, Lack> {
        match self {
            Self::Fetched(keeper) => keeper.collateral(quote, now).await,
            Self::Simulated(simulator) => {
                Family::of_quote(quote).map_err(Lack::Rejected)?;
                Ok(Arc::new(simulator.collateral(now)))
            }
            Self::Published(folder) => {
                let family = Family::of_quote(quote).map_err(Lack::Rejected)?;
                let folder = folder.clone();
                let read = move || folder::newest(&folder, family, now);
                let newest = tokio::task::spawn_blocking(read).await;
                let newest = newest.ok().flatten().ok_or(Lack::Missing)?;
                Ok(Arc::new(newest.collateral))
            }
        }
    }

    /// Fetches what is due, without anybody waiting for it.
    pub(super) fn renew(&self, now: u64) {
        if let Self::Fetched(keeper) = self {
            drop(keeper.renew(now));
        }
    }
}
