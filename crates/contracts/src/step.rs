//! The names of what a deployment does: what plans, journals, progress and errors speak of.
use std::fmt;

use crate::Options;

/// A contract that a deployment creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Contract {
    /// The test RLC.
    Token,
    /// The code of the hub's cold functions.
    Extension,
    /// The code of the hub's functions of PoCo Boost.
    Boost,
    /// The hub.
    Hub,
    /// Registry of apps.
    AppRegistry,
    /// Registry of datasets.
    DatasetRegistry,
    /// Registry of workerpools.
    WorkerpoolRegistry,
}

impl Contract {
    /// The three that are initialized and have metadata.
    pub(crate) const REGISTRIES: [Self; 3] = [
        Self::AppRegistry,
        Self::DatasetRegistry,
        Self::WorkerpoolRegistry,
    ];
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Extension => "extension",
            Self::Boost => "Boost extension",
            Self::Hub => "hub",
            Self::AppRegistry => "app registry",
            Self::DatasetRegistry => "dataset registry",
            Self::WorkerpoolRegistry => "workerpool registry",
        })
    }
}

/// What one transaction of a deployment does. Displayed as an infinitive: `create the hub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepName {
    /// Creates a contract.
    Create(Contract),
    /// Tells the hub its token and registries; possible once.
    Configure,
    /// Tells a registry that none came before it; possible once.
    Initialize(Contract),
    /// Tells a registry where the metadata of its entries is.
    SetBaseUri(Contract),
    /// Creates the category of this number; the chain counts, so the order of steps decides.
    CreateCategory(usize),
}

impl StepName {
    /// The steps of a deployment, in order (spec/contracts.md §15).
    pub(crate) fn all(options: &Options) -> Vec<Self> {
        let categories = crate::CATEGORIES.len() + options.extra_categories.len();
        let base_uris = match options.metadata_chain_id {
            Some(_) => &Contract::REGISTRIES[..],
            None => &[],
        };
        let mut steps: Vec<_> = options.created().into_iter().map(Self::Create).collect();
        steps.push(Self::Configure);
        steps.extend(Contract::REGISTRIES.map(Self::Initialize));
        steps.extend(base_uris.iter().copied().map(Self::SetBaseUri));
        steps.extend((0..categories).map(Self::CreateCategory));
        steps
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(contract) => write!(f, "create the {contract}"),
            Self::Configure => f.write_str("configure the hub"),
            Self::Initialize(contract) => write!(f, "initialize the {contract}"),
            Self::SetBaseUri(contract) => write!(f, "set the base URI of the {contract}"),
            Self::CreateCategory(number) => write!(f, "create category {number}"),
        }
    }
}
