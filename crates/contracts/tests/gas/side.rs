//! Whose contracts are measured.
use std::path::{Path, PathBuf};

use alloy::primitives::Address;
use contracts::Deployment;

use crate::chain::Chain;
use crate::official;
use crate::stage::{self, Stage};

/// Ours, or the official ones of a package.
pub(crate) struct Side {
    package: Option<PathBuf>,
}

impl Side {
    pub(crate) const OURS: Self = Self { package: None };

    pub(crate) fn official(package: PathBuf) -> Self {
        Self {
            package: Some(package),
        }
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.package.is_none()
    }

    pub(crate) fn package(&self) -> Option<&Path> {
        self.package.as_deref()
    }

    /// A deployed market with everyone on it.
    pub(crate) fn stage(&self) -> Stage {
        match &self.package {
            None => Stage::ours(),
            Some(package) => Stage::official(package),
        }
    }

    /// The contracts alone.
    pub(crate) fn deployed(&self, chain: &mut Chain, deployer: Address) -> Deployment {
        match &self.package {
            None => stage::deployed(chain, deployer),
            Some(package) => official::deployed(chain, deployer, package),
        }
    }

    /// Tells `cargo xtask contracts gas` one figure. Its table knows all rows by name.
    pub(crate) fn row(&self, name: &str, gas: u64) {
        self.figure("gas", name, gas);
    }

    #[expect(clippy::print_stdout, reason = "xtask reads what is measured here")]
    pub(crate) fn figure(&self, kind: &str, name: &str, figure: u64) {
        let side = if self.is_ours() { "ours" } else { "official" };
        println!("\n{kind}\t{side}\t{name}\t{figure}");
    }
}
