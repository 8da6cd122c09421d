//! Two worlds that live the same life.
use std::path::Path;

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::{SolCall, SolError};
use contracts::{AppRegistry, Rlc};
use revm::state::EvmState;

use crate::cast::Cast;
use crate::chain::Tx;
use crate::coverage::Coverage;
use crate::differences::{self, Case, Then};
use crate::invariants;
use crate::known::Known;
use crate::op;
use crate::outcome::{Names, Outcome};
use crate::queries::{self, Query};
use crate::step::{Step, What};
use crate::world::{self, Mode, World};

/// What went wrong, in words.
pub(crate) type Complaint = String;

pub(crate) struct Twin {
    pub(crate) ours: World,
    pub(crate) theirs: World,
    pub(crate) known: Known,
    pub(crate) coverage: Coverage,
    names: Names,
    /// Lists what differs instead of stopping at the first.
    list: bool,
}

impl Twin {
    pub(crate) fn new(mode: Mode, cast: &Cast, package: &Path, old_hub: bool) -> Self {
        let (mut ours, mut theirs, places) = world::pair(mode, cast, package, old_hub);
        let mut names = Names::default();
        let at = places.at;
        for registry in [at.app_registry, at.dataset_registry, at.workerpool_registry] {
            let call = AppRegistry::masterCall {};
            let masters = [&mut ours, &mut theirs].map(|one| one.chain.read(registry, &call));
            names.pair(masters[0], masters[1]);
        }
        let mut known = Known::new(places, cast.owner);
        known.look(&mut theirs);
        Self {
            ours,
            theirs,
            known,
            coverage: Coverage::default(),
            names,
            list: std::env::var_os("FUZZ_LIST").is_some(),
        }
    }

    /// Plays a step, and says whether it changed anything.
    pub(crate) fn play(&mut self, cast: &Cast, step: &Step) -> Result<bool, Complaint> {
        match &step.what {
            What::Wait(seconds) => {
                self.ours.chain.wait(*seconds);
                self.theirs.chain.wait(*seconds);
                self.known.now += U256::from(*seconds);
            }
            What::ChainId(id) => {
                self.ours.chain.set_chain_id(*id);
                self.theirs.chain.set_chain_id(*id);
                self.known.chain_id = *id;
            }
            What::Send(tx) => return self.send(cast, step, tx),
            What::Registry(tx) => return self.send_registry(cast, step, tx),
            What::ApproveAndMatch {
                sender,
                amount,
                data,
            } => return self.approve_and_match(cast, step, *sender, *amount, data),
        }
        Ok(true)
    }

    fn send(&mut self, cast: &Cast, step: &Step, tx: &Tx) -> Result<bool, Complaint> {
        let ours = self.ours.apply(tx);
        let theirs = self.theirs.apply(tx);
        self.judge(cast, step, tx, ours, theirs)
    }

    /// The entries are called by their own names there, which are told apart by asking first where
    /// they will be.
    fn send_registry(&mut self, cast: &Cast, step: &Step, tx: &Tx) -> Result<bool, Complaint> {
        if let Some(predict) = op::predict(&tx.data) {
            let mine = self.ours.ask(tx.to, &predict);
            let other = self.theirs.ask(tx.to, &predict);
            if mine.success && other.success {
                let [mine, other] = [mine, other].map(|one| Address::from_word(one.word()));
                self.names.pair(mine, other);
            }
        }
        let ours = self.ours.apply(tx);
        let foreign = Tx {
            to: self.names.theirs_of(tx.to),
            data: self.names.theirs(&tx.data),
            ..tx.clone()
        };
        let (theirs, state) = self.theirs.apply(&foreign);
        let theirs = self.renamed(&tx.data, &theirs);
        self.judge(cast, step, tx, ours, (theirs, state))
    }

    fn renamed(&self, question: &Bytes, answer: &Outcome) -> Outcome {
        let mut renamed = answer.renamed(&self.names);
        let uri = AppRegistry::tokenURICall::abi_decode_returns(&answer.data);
        if question.starts_with(&AppRegistry::tokenURICall::SELECTOR) && answer.success {
            let uri = uri
                .map(|uri| self.names.rename_uri(&uri))
                .unwrap_or_default();
            renamed.data = AppRegistry::tokenURICall::abi_encode_returns(&uri).into();
        }
        renamed
    }

    fn judge(
        &mut self,
        cast: &Cast,
        step: &Step,
        tx: &Tx,
        (ours, our_state): (Outcome, EvmState),
        (theirs, their_state): (Outcome, EvmState),
    ) -> Result<bool, Complaint> {
        self.coverage.count(step.name, &ours);
        let case = Case {
            tx,
            ours: &ours,
            theirs: &theirs,
            known: &self.known,
            cast,
        };
        if let Some(difference) = differences::explain(&case) {
            self.coverage.count_difference(difference.name);
            if difference.then == Then::Drop {
                return Ok(false);
            }
        } else if ours != theirs {
            self.found(format!("{step}\n{}", complaint(&ours, &theirs)))?;
            return Ok(false);
        }
        if ours.success {
            self.ours.chain.keep(our_state);
            self.theirs.chain.keep(their_state);
            self.succeeded(cast, step, tx.from, &ours)?;
        }
        Ok(ours.success)
    }

    /// Learns from what has happened and looks at everything it was about.
    fn succeeded(
        &mut self,
        cast: &Cast,
        step: &Step,
        from: Address,
        outcome: &Outcome,
    ) -> Result<(), Complaint> {
        invariants::nothing_is_made(&self.known, &outcome.logs)?;
        self.known.learn(&outcome.logs, &mut self.theirs);
        let silent = outcome.logs.is_empty();
        if silent || step.name == "createCategory" || step.name == "transferOwnership" {
            self.known.look(&mut self.theirs);
        }
        for offer in &step.offers {
            self.known.book.add(offer.clone());
        }
        let queries = queries::touched(&self.known, from, &outcome.logs);
        self.compare(cast, &queries)
    }

    #[expect(clippy::print_stderr, reason = "asked for by FUZZ_LIST")]
    fn found(&self, complaint: Complaint) -> Result<(), Complaint> {
        if !self.list {
            return Err(complaint);
        }
        eprintln!("{complaint}");
        Ok(())
    }

    pub(crate) fn compare(&mut self, cast: &Cast, queries: &[Query]) -> Result<(), Complaint> {
        for query in queries {
            let ours = self.ours.ask(query.to, &query.data);
            let theirs = if query.named {
                let to = self.names.theirs_of(query.to);
                let answer = self.theirs.ask(to, &self.names.theirs(&query.data));
                self.renamed(&query.data, &answer)
            } else {
                self.theirs.ask(query.to, &query.data)
            };
            let tx = Tx {
                from: Address::ZERO,
                to: query.to,
                value: U256::ZERO,
                data: query.data.clone(),
            };
            let case = Case {
                tx: &tx,
                ours: &ours,
                theirs: &theirs,
                known: &self.known,
                cast,
            };
            if ours != theirs && differences::explain(&case).is_none() {
                let (to, data) = (query.to, &query.data);
                self.found(format!("asked {to} {data}:\n{}", complaint(&ours, &theirs)))?;
            }
        }
        Ok(())
    }

    /// All getters of both worlds, and the books of both.
    pub(crate) fn compare_everything(&mut self, cast: &Cast) -> Result<(), Complaint> {
        self.compare(cast, &queries::everything(&self.known))?;
        self.compare(cast, &queries::registries(&self.known))?;
        invariants::books_balance(&self.known, &mut self.ours)?;
        invariants::books_balance(&self.known, &mut self.theirs)
    }

    /// 6.1.0 deposits and ignores what else is asked for, so there it is asked for separately: in
    /// one transaction all of it happens, or nothing.
    fn approve_and_match(
        &mut self,
        cast: &Cast,
        step: &Step,
        sender: Address,
        amount: U256,
        data: &Bytes,
    ) -> Result<bool, Complaint> {
        let request = Tx {
            from: sender,
            to: self.known.places.at.hub,
            value: U256::ZERO,
            data: data.clone(),
        };
        // Without data it is a deposit, which is an operation of its own.
        if data.is_empty() || differences::has_foreign_frameworks(&request) {
            return Ok(false);
        }
        let (ours, state) = self
            .ours
            .apply(&self.approve_and_call(sender, amount, data));
        self.coverage.count(step.name, &ours);
        let plain = self.approve_and_call(sender, amount, &Bytes::new());
        let (deposit, deposited) = self.theirs.apply(&plain);
        let refused = match differences::refusal(sender, data) {
            _ if !deposit.success => Some(deposit.data.clone()),
            refusal => refusal,
        };
        if let Some(reason) = refused {
            return expect(&ours, &Outcome::refused(reason)).map(|()| false);
        }
        self.theirs.chain.keep(deposited);
        let (deal, dealt) = self.theirs.apply(&request);
        if deal.success {
            let expected = Outcome {
                success: true,
                data: deposit.data,
                logs: [deposit.logs, deal.logs].concat(),
                gas: 0,
            };
            expect(&ours, &expected)?;
            self.theirs.chain.keep(dealt);
            self.ours.chain.keep(state);
            return self.succeeded(cast, step, sender, &ours).map(|()| true);
        }
        expect(&ours, &Outcome::refused(or_failed(deal.data)))?;
        let (plain, state) = self.ours.apply(&plain);
        expect(&plain, &deposit)?;
        self.ours.chain.keep(state);
        let only_deposit = Step {
            offers: Vec::new(),
            ..step.clone()
        };
        self.succeeded(cast, &only_deposit, sender, &plain)
            .map(|()| false)
    }

    fn approve_and_call(&self, from: Address, value: U256, data: &Bytes) -> Tx {
        let at = self.known.places.at;
        let call = Rlc::approveAndCallCall {
            spender: at.hub,
            value,
            data: data.clone(),
        };
        Tx {
            from,
            to: at.token,
            value: U256::ZERO,
            data: call.abi_encode().into(),
        }
    }
}

alloy::sol! {
    error OperationFailed();
}

fn or_failed(reason: Bytes) -> Bytes {
    if reason.is_empty() {
        return OperationFailed {}.abi_encode().into();
    }
    reason
}

fn expect(ours: &Outcome, expected: &Outcome) -> Result<(), Complaint> {
    if ours == expected {
        return Ok(());
    }
    Err(complaint(ours, expected))
}

fn complaint(ours: &Outcome, theirs: &Outcome) -> Complaint {
    format!("ours:\n{ours}theirs:\n{theirs}")
}
