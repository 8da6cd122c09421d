//! A bag of a thousand tasks from end to end, with an engine that runs nothing: what is measured is
//! everything but the containers.

use std::sync::Arc;

use engine::Choice;
use iexec_tests::{
    cast::{Ask, Cast},
    idle::Idle,
};
use network::Network;
use protocol::B256;

use crate::{stats::line, task::deploy};

/// Tasks of the bag.
const TASKS: u64 = 1_000;
/// Workers, and tasks each runs at once.
const WORKERS: u32 = 8;
const SLOTS: u32 = 16;

/// Prints the time of the bag at trust 1 and at trust 3.
pub(crate) async fn measure() -> anyhow::Result<()> {
    for trust in [1, 3] {
        let folder = tempfile::tempdir()?;
        let network = Network::builder(folder.path())
            .port(0)
            .engine(Choice::Builtin)
            .own_engine(Arc::new(Idle::default()))
            .workers(WORKERS)
            .slots(SLOTS);
        let network = network.start().await?;
        let cast = Cast::local(network.info(), network.engine().clone()).await?;
        let app = deploy(&cast, B256::repeat_byte(1)).await?;
        let ask = Ask {
            volume: TASKS,
            trust,
            ..Ask::default()
        };
        let deal = cast.deal(app, &ask).await?;
        cast.completed(&deal, TASKS as usize).await?;
        let label = format!("bag of {TASKS} tasks that run nothing, trust {trust}");
        line(&label, deal.matched.elapsed(), None);
        network.stop().await;
    }
    Ok(())
}
