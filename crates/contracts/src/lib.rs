//! The compiled contracts, their typed bindings and how to deploy them.
//!
//! The bindings describe the published interface of PoCo, so they work with our contracts and
//! with the official ones alike; [`Hub`] includes the functions our hub answers through its
//! extensions. Every `sol!` of the workspace that concerns these contracts lives here.
//! [`deploy`] is for chains of our own, [`deploy_resumable`] for all others.
//!
//! ```no_run
//! # async fn example(provider: alloy::providers::DynProvider, owner: alloy::primitives::Address)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let deployment = contracts::deploy(&provider, owner, &contracts::Options::default()).await?;
//! let hub = contracts::Hub::new(deployment.hub, &provider);
//! assert_eq!(hub.countCategory().call().await?.to::<u64>(), 5);
//! # Ok(())
//! # }
//! ```

mod bindings;
mod deploy;
mod error;
mod history;
mod journal;
mod next;
mod plan;
mod resume;
mod step;
mod view;

pub use bindings::{
    App, AppRegistry, Boost, Dataset, DatasetRegistry, Hub, HubExtension, HubExtensionNative,
    HubNative, Rlc, Workerpool, WorkerpoolRegistry,
};
pub use deploy::deploy;
pub use error::Error;
pub use plan::{CATEGORIES, Category, Deployment, Options, Plan, Step};
pub use resume::{Outcome, Progress, deploy_resumable};
pub use step::{Contract, StepName};
