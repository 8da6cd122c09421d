//! A life of both worlds from their deployment to the day when nothing is left to do.
use std::path::Path;

use alloy::primitives::{Address, B256, Bytes, U256};
use contracts::{AppRegistry, DatasetRegistry, Hub, Rlc, WorkerpoolRegistry};

use crate::cast::Cast;
use crate::coverage::Coverage;
use crate::dice::Dice;
use crate::invariants;
use crate::op::{self, Gen, Table};
use crate::step::{Step, What};
use crate::twin::{Complaint, Twin};
use crate::world::{self, Mode};

/// After how many steps everything is compared.
const SWEEP_STEPS: u64 = 400;
/// What everybody deposits to begin with, in nRLC.
const DEPOSIT: u64 = 1_000_000_000_000_000;
/// How many tasks of a deal are ended at the end; deals of more cost nothing.
const INDEXES_MAX: u64 = 64;
/// How many tasks one transaction ends.
const BATCH: usize = 12;
const WEI_PER_NRLC: u64 = 1_000_000_000;

pub(crate) struct Life {
    mode: Mode,
    seed: u64,
    cast: Cast,
    dice: Dice,
    table: Table,
    twin: Twin,
    steps: u64,
    trace: bool,
}

impl Life {
    pub(crate) fn new(mode: Mode, seed: u64, package: &Path) -> Self {
        let cast = Cast::new();
        let mut dice = Dice::new(seed);
        let twin = Twin::new(mode, &cast, package, dice.chance(70));
        Self {
            mode,
            seed,
            dice,
            table: op::table(mode),
            twin,
            steps: 0,
            trace: std::env::var_os("FUZZ_TRACE").is_some(),
            cast,
        }
    }

    /// Lives for so many steps and ends; panics with everything needed to see it again.
    pub(crate) fn live(mut self, steps: u64) -> Coverage {
        let end = Context(self.mode, self.seed);
        if let Err(complaint) = self.try_to_live(steps) {
            panic!("seed {}, step {}: {complaint}", self.seed, self.steps);
        }
        std::mem::forget(end);
        self.twin.coverage.settled = self.twin.known.settled;
        self.twin.coverage
    }

    fn try_to_live(&mut self, steps: u64) -> Result<(), Complaint> {
        self.begin()?;
        for _ in 0..steps {
            let mut generator = Gen {
                dice: &mut self.dice,
                cast: &self.cast,
                known: &self.twin.known,
                mode: self.mode,
            };
            let step = generator.step(&self.table);
            self.play(step)?;
            if self.steps.is_multiple_of(SWEEP_STEPS) {
                self.twin.compare_everything(&self.cast)?;
            }
        }
        self.end()
    }

    #[expect(clippy::print_stderr, reason = "asked for by FUZZ_TRACE")]
    fn play(&mut self, mut step: Step) -> Result<bool, Complaint> {
        self.steps += 1;
        self.bound_value(&mut step);
        if self.trace {
            eprintln!("{} {}", self.steps, step);
        }
        let done = self.twin.play(&self.cast, &step);
        done.map_err(|complaint| format!("{}\n{complaint}", step))
    }

    /// Nobody can send more coins than they have.
    fn bound_value(&mut self, step: &mut Step) {
        if let Some(tx) = step.tx_mut() {
            tx.value = tx.value.min(self.twin.theirs.chain.wealth(tx.from));
        }
    }

    /// Plays what must succeed.
    fn must(&mut self, step: Step) -> Result<(), Complaint> {
        let text = step.to_string();
        match self.play(step)? {
            true => Ok(()),
            false => Err(format!("{text}\nwas refused")),
        }
    }

    fn hub(&self) -> Address {
        self.twin.known.places.at.hub
    }

    /// Money for everybody, and assets in the registries that both worlds have in common.
    fn begin(&mut self) -> Result<(), Complaint> {
        let at = self.twin.known.places.at;
        world::endow(&mut self.twin.ours, &self.cast, &at);
        world::endow(&mut self.twin.theirs, &self.cast, &at);
        for person in self.cast.rich() {
            let wei = U256::from(DEPOSIT) * U256::from(WEI_PER_NRLC);
            if self.mode.is_native() {
                self.must(Step::raw(person, at.hub, Bytes::new()).with_value(wei))?;
                continue;
            }
            let (spender, value) = (at.hub, U256::MAX);
            self.must(Step::new(
                person,
                at.token,
                &Rlc::approveCall { spender, value },
            ))?;
            let amount = U256::from(DEPOSIT);
            self.must(Step::new(person, at.hub, &Hub::depositCall { amount }))?;
        }
        for _ in 0..3 {
            self.create_assets(self.twin.known.places.common)?;
        }
        self.create_assets(self.twin.known.places.ancestors)?;
        self.twin.compare_everything(&self.cast)
    }

    fn create_assets(&mut self, [apps, datasets, pools]: [Address; 3]) -> Result<(), Complaint> {
        let creator = self.cast.owner;
        let app = AppRegistry::createAppCall {
            _appOwner: self.dice.pick(&self.cast.app_owners),
            _appName: format!("app {}", self.steps),
            _appType: "DOCKER".to_owned(),
            _appMultiaddr: self.dice.bytes(40),
            _appChecksum: self.dice.word(),
            _appMREnclave: self.dice.bytes(33),
        };
        let dataset = DatasetRegistry::createDatasetCall {
            _datasetOwner: self.dice.pick(&self.cast.dataset_owners),
            _datasetName: format!("dataset {}", self.steps),
            _datasetMultiaddr: self.dice.bytes(31),
            _datasetChecksum: B256::ZERO,
        };
        let pool = WorkerpoolRegistry::createWorkerpoolCall {
            _workerpoolOwner: self.dice.pick(&self.cast.schedulers),
            _workerpoolDescription: format!("pool {}", self.steps),
        };
        self.must(Step::new(creator, apps, &app))?;
        self.must(Step::new(creator, datasets, &dataset))?;
        self.must(Step::new(creator, pools, &pool))
    }

    /// Ends every task, takes all money home and gives the hub to nobody.
    fn end(&mut self) -> Result<(), Complaint> {
        self.wait_for_the_last_deadline()?;
        self.end_all_tasks()?;
        self.twin.compare_everything(&self.cast)?;
        if self.twin.known.boost.is_empty() {
            invariants::nothing_is_left(&self.twin.known)?;
        }
        let accounts = self.twin.known.accounts.iter().copied();
        for account in accounts
            .filter(|account| *account != self.hub())
            .collect::<Vec<_>>()
        {
            let hub = self.hub();
            let view = self
                .twin
                .theirs
                .chain
                .read(hub, &Hub::viewAccountCall { account });
            let amount = view.stake;
            // Contracts that take no coins, and nobody, keep what they have.
            self.play(Step::new(account, hub, &Hub::withdrawCall { amount }))?;
        }
        let newOwner = Address::ZERO;
        let owner = self.twin.known.owner;
        self.must(Step::new(
            owner,
            self.hub(),
            &Hub::transferOwnershipCall { newOwner },
        ))?;
        self.twin.compare_everything(&self.cast)
    }

    fn wait_for_the_last_deadline(&mut self) -> Result<(), Complaint> {
        let known = &self.twin.known;
        let deadlines = known
            .deals
            .iter()
            .map(|deal| deal.view.startTime + deal.timeref * U256::from(10));
        let last = deadlines.max().unwrap_or_default();
        let seconds = last.saturating_sub(known.now).saturating_to();
        self.must(Step::of(What::Wait(seconds)))
    }

    fn end_all_tasks(&mut self) -> Result<(), Complaint> {
        let known = &self.twin.known;
        let mut missing = Vec::new();
        for deal in &known.deals {
            for offset in 0..deal.view.botSize.saturating_to::<u64>().min(INDEXES_MAX) {
                let index = deal.view.botFirst + U256::from(offset);
                if known.task(op::task_id(deal.id, index)).is_none() {
                    missing.push((deal.id, index));
                }
            }
        }
        let open = known.open.iter().map(|index| known.tasks[*index].id);
        let open: Vec<_> = open.collect();
        let (caller, hub) = (self.cast.strangers[0], self.hub());
        for batch in missing.chunks(BATCH) {
            let (dealIds, indexes) = batch.iter().copied().unzip();
            let call = Hub::initializeAndClaimArrayCall { dealIds, indexes };
            self.must(Step::new(caller, hub, &call))?;
        }
        for batch in open.chunks(BATCH) {
            let taskIds = batch.to_vec();
            self.must(Step::new(caller, hub, &Hub::claimArrayCall { taskIds }))?;
        }
        Ok(())
    }
}

/// Says how to see a failure again, also when something else panics.
struct Context(Mode, u64);

impl Drop for Context {
    #[expect(
        clippy::print_stderr,
        reason = "the reader of the failed test is the audience"
    )]
    fn drop(&mut self) {
        let (mode, seed) = (format!("{:?}", self.0).to_lowercase(), self.1);
        eprintln!("again: FUZZ_SEED={seed} cargo test -p iexec-contracts --test twin {mode}_mode");
    }
}
