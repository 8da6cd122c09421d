//! A deployment that is interrupted at every question it asks, and goes on.
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use alloy::network::{NetworkTransactionBuilder as _, TransactionBuilder as _};
use alloy::primitives::TxHash;
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use contracts::{Outcome, Progress, StepName, deploy_resumable};
use tempfile::TempDir;

use super::*;

/// The steps of the deployment under test.
const STEPS: u64 = 19;
/// The supply of test RLC, in nRLC.
const SUPPLY: u64 = 87_000_000_000_000_000;

/// When the line to the node breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Never,
    /// Instead of the question after so many.
    Question(u32),
    /// After the node heard that question, before it is answered.
    Answer(u32),
}

type Line = Arc<Mutex<Cut>>;

/// Lets questions through until the line breaks; then none, until it is mended.
async fn pass(State(line): State<Line>, mut request: Request, next: Next) -> Response {
    // without it the node holds answers back, for clients that cache their nonces
    let managed = HeaderValue::from_static("managed");
    request
        .headers_mut()
        .insert(devchain::NONCE_HEADER, managed);
    let broken = || StatusCode::SERVICE_UNAVAILABLE.into_response();
    let now = *line.lock().unwrap();
    *line.lock().unwrap() = match now {
        Cut::Question(left) => Cut::Question(left.saturating_sub(1)),
        Cut::Answer(left) => Cut::Answer(left.saturating_sub(1)),
        Cut::Never => Cut::Never,
    };
    match now {
        Cut::Question(0) => broken(),
        Cut::Answer(0) => {
            *line.lock().unwrap() = Cut::Question(0);
            next.run(request).await;
            broken()
        }
        _ => next.run(request).await,
    }
}

/// A new chain behind a line that breaks when told, and somebody who deploys there.
struct Place {
    provider: DynProvider,
    line: Line,
    signer: PrivateKeySigner,
    folder: TempDir,
    options: Options,
    told: Vec<Progress>,
}

impl Place {
    async fn new() -> Self {
        let line = Line::new(Mutex::new(Cut::Never));
        let layer = middleware::from_fn_with_state(line.clone(), pass);
        let url = serve(open().router().layer(layer)).await;
        let provider = ProviderBuilder::new()
            .disable_recommended_fillers()
            .connect_http(url)
            .erased();
        let options = Options {
            metadata_chain_id: Some(65_535),
            ..Options::default()
        };
        Self {
            provider,
            line,
            signer: key(1),
            folder: tempfile::tempdir().unwrap(),
            options,
            told: Vec::new(),
        }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.json")
    }

    async fn deploy(&mut self) -> Result<Outcome, Error> {
        self.told.clear();
        let (told, journal) = (&mut self.told, self.folder.path().join("journal.json"));
        let mut tell = |progress| told.push(progress);
        let (provider, signer) = (&self.provider, &self.signer);
        deploy_resumable(provider, signer, &self.options, &journal, &mut tell).await
    }

    /// A run that ends where the line breaks. What is mined meanwhile stays mined.
    async fn deploy_until(&mut self, cut: Cut) -> Result<Outcome, Error> {
        *self.line.lock().unwrap() = cut;
        let ended = self.deploy().await;
        *self.line.lock().unwrap() = Cut::Never;
        ended
    }

    async fn nonce(&self) -> u64 {
        let count = self.provider.get_transaction_count(self.signer.address());
        count.await.unwrap()
    }

    /// A transaction that has nothing to do with the deployment.
    async fn send_other(&self, nonce: u64) -> TxHash {
        let request = TransactionRequest::default()
            .with_to(Address::repeat_byte(9))
            .with_value(U256::ZERO)
            .with_nonce(nonce)
            .with_gas_limit(50_000)
            .with_gas_price(0)
            .with_chain_id(65_535);
        let wallet = EthereumWallet::from(self.signer.clone());
        let signed = request.build(&wallet).await.unwrap();
        let sent = self.provider.send_tx_envelope(signed).await.unwrap();
        *sent.tx_hash()
    }

    async fn check(&self, at: &Deployment) {
        let (provider, owner) = (&self.provider, self.signer.address());
        let hub = Hub::new(at.hub, provider);
        assert_eq!(hub.owner().call().await.unwrap(), owner);
        assert_eq!(hub.token().call().await.unwrap(), at.token);
        assert_eq!(hub.countCategory().call().await.unwrap(), U256::from(5));
        for registry in [at.app_registry, at.dataset_registry, at.workerpool_registry] {
            let registry = AppRegistry::new(registry, provider);
            assert_eq!(registry.owner().call().await.unwrap(), owner);
            assert!(registry.initialized().call().await.unwrap());
            assert!(!registry.baseURI().call().await.unwrap().is_empty());
        }
        let supply = Rlc::new(at.token, provider).balanceOf(owner).call().await;
        assert_eq!(supply.unwrap(), U256::from(SUPPLY));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_complete_and_a_second_run_sends_nothing() {
    let mut place = Place::new().await;
    let first = place.deploy().await.unwrap();
    place.check(&first.deployment).await;
    assert_eq!(first.transactions as u64, STEPS);
    let planned = Plan::new(place.signer.address(), 0, &place.options);
    assert_eq!(first.deployment, planned.deployment);
    let last = Progress::Done {
        number: 19,
        total: 19,
        step: StepName::CreateCategory(4),
        spent: None,
    };
    let Some(Progress::Done { spent, .. }) = place.told.last().copied() else {
        panic!("{:?}", place.told)
    };
    assert!(spent.is_some_and(|(_, gas)| gas > 50_000), "{spent:?}");
    let second = place.deploy().await.unwrap();
    assert_eq!(
        (second.deployment, second.transactions),
        (first.deployment, 0)
    );
    assert_eq!(place.told.last(), Some(&last));
    assert_eq!(place.nonce().await, STEPS);
}

/// Steps between the places where the line breaks: a prime, so that all kinds of questions have
/// their turn. A deployment asks some three hundred.
const STRIDE: usize = 11;

/// Anywhere, before and after the node has heard.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_anywhere_it_goes_on_and_does_nothing_twice() {
    for questions in (0..).step_by(STRIDE) {
        let cut = match questions % 2 {
            0 => Cut::Question(questions),
            _ => Cut::Answer(questions),
        };
        let mut place = Place::new().await;
        let is_over = place.deploy_until(cut).await.is_ok();
        let outcome = place.deploy().await.unwrap();
        assert_eq!(place.nonce().await, STEPS, "{cut:?}");
        place.check(&outcome.deployment).await;
        if is_over {
            assert!(questions > 200, "{questions}");
            break;
        }
    }
}

/// As above, and the journal is gone: the chain tells all.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_journal_is_made_up_for_by_the_chain() {
    for questions in (13..).step_by(4 * STRIDE) {
        let mut place = Place::new().await;
        let is_over = place.deploy_until(Cut::Answer(questions)).await.is_ok();
        let _ = std::fs::remove_file(place.journal());
        let outcome = place.deploy().await.unwrap();
        assert_eq!(place.nonce().await, STEPS, "after {questions}");
        place.check(&outcome.deployment).await;
        if is_over {
            assert_eq!(place.told[0], Progress::Found { contracts: 7 });
            assert!(place.journal().exists());
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_in_between_only_move_what_comes_after() {
    let mut place = Place::new().await;
    let mut others = 0;
    for questions in [40, 20, 60, 90] {
        place
            .deploy_until(Cut::Question(questions))
            .await
            .unwrap_err();
        let nonce = place.nonce().await;
        place.send_other(nonce).await;
        others += 1;
    }
    let outcome = place.deploy().await.unwrap();
    place.check(&outcome.deployment).await;
    assert_eq!(place.nonce().await, STEPS + others);
}

/// The journal says that a nonce is ours, and somebody else's transaction was mined with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_was_taken_is_replaced() {
    let mut place = Place::new().await;
    let mut cut = 0;
    while !place.journal().exists() {
        place.deploy_until(Cut::Question(cut)).await.unwrap_err();
        cut += 1;
    }
    assert_eq!(place.nonce().await, 0, "it was written before it was sent");
    place.send_other(0).await;
    let outcome = place.deploy().await.unwrap();
    place.check(&outcome.deployment).await;
    let token = place.signer.address().create(1);
    assert_eq!(
        (outcome.deployment.token, place.nonce().await),
        (token, STEPS + 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_with_another_token_is_not_taken_for_ours() {
    let mut place = Place::new().await;
    let first = place.deploy().await.unwrap().deployment;
    std::fs::remove_file(place.journal()).unwrap();
    place.options.token = Some(first.token);
    let same = place.deploy().await.unwrap();
    assert_eq!((same.deployment.hub, same.transactions), (first.hub, 0));
    std::fs::remove_file(place.journal()).unwrap();
    let nonce = place.nonce().await;
    place.options.token = None;
    place.signer = key(2);
    let other = place.deploy().await.unwrap().deployment;
    std::fs::remove_file(place.journal()).unwrap();
    place.signer = key(1);
    place.options.token = Some(other.token);
    let second = place.deploy().await.unwrap();
    assert_ne!(second.deployment.hub, first.hub);
    assert_eq!(second.transactions as u64, STEPS - 1);
    assert_eq!(place.nonce().await, nonce + STEPS - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_another_chain_or_deployer_is_refused() {
    let mut place = Place::new().await;
    place.deploy().await.unwrap();
    place.signer = key(2);
    let refused = place.deploy().await.unwrap_err();
    assert!(
        matches!(refused, Error::JournalMismatch { .. }),
        "{refused}"
    );
    place.signer = key(1);
    place.options.metadata_chain_id = None;
    let refused = place.deploy().await.unwrap_err();
    assert!(
        matches!(refused, Error::JournalMismatch { .. }),
        "{refused}"
    );
    assert_eq!(place.nonce().await, STEPS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_must_be_one() {
    let mut place = Place::new().await;
    let nobody = Address::repeat_byte(7);
    place.options.token = Some(nobody);
    let refused = place.deploy().await.unwrap_err();
    assert!(
        matches!(refused, Error::TokenMissing(at) if at == nobody),
        "{refused}"
    );
    place.options.token = None;
    let hub = place.deploy().await.unwrap().deployment.hub;
    let registry = Hub::new(hub, &place.provider).appregistry().call().await;
    std::fs::remove_file(place.journal()).unwrap();
    place.options.token = Some(registry.unwrap());
    let refused = place.deploy().await.unwrap_err();
    assert!(matches!(refused, Error::NotToken(_)), "{refused}");
}
