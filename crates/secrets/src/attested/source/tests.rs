//! The keeper against a service on this machine: nothing here waits for a clock.

mod pccs;

use std::{fs, path::Path, sync::Arc, time::Duration};

use attest::{Attester as _, Collateral, Reason, Trust};
use futures_util::future::join_all;
use simulator::Simulator;

use super::{Lack, Source, keeper::Keeper, pcs::Pcs};
use pccs::{Pccs, REQUESTS, Spoil};

const NOW: u64 = 1_790_000_000;
const DAY_S: u64 = 86_400;
const PAUSE_S: u64 = 300;

/// Simulated machines, a service that publishes about them, and a folder.
struct World {
    simulator: Simulator,
    pccs: Pccs,
    folder: tempfile::TempDir,
    quote: Vec<u8>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = simulator(folder.path());
        let quote = simulator.machine(0).quote([7; 64]).unwrap();
        let world = Self {
            pccs: Pccs::start().await,
            simulator,
            folder,
            quote,
        };
        world.publish(NOW);
        world
    }

    fn publish(&self, at: u64) {
        self.pccs.show(Some(self.simulator.collateral(at)));
    }

    fn kept_in(&self) -> std::path::PathBuf {
        self.folder.path().join("collateral")
    }

    fn files(&self) -> usize {
        fs::read_dir(self.kept_in()).map_or(0, Iterator::count)
    }

    /// One that was just started.
    fn keeper(&self) -> Arc<Keeper> {
        let trust = Trust::Simulated(self.simulator.root_der());
        let publisher = Pcs::new(&self.pccs.url).unwrap();
        Arc::new(Keeper::new(self.kept_in(), trust, Box::new(publisher)))
    }

    async fn is_missing(&self, keeper: &Arc<Keeper>, at: u64) -> bool {
        let lack = keeper.collateral(&self.quote, at).await;
        matches!(lack, Err(Lack::Missing))
    }

    async fn end(&self, keeper: &Arc<Keeper>, at: u64) -> u64 {
        let collateral = keeper.collateral(&self.quote, at).await.unwrap();
        collateral.expires_at().unwrap()
    }
}

fn simulator(folder: &Path) -> Simulator {
    Simulator::open(&folder.join("seed")).unwrap()
}

async fn renew(keeper: &Arc<Keeper>, at: u64) -> usize {
    let fetches = keeper.renew(at);
    let count = fetches.len();
    join_all(fetches).await;
    count
}

#[tokio::test]
async fn what_many_need_is_fetched_once_and_kept_over_a_restart() {
    let world = World::new().await;
    let keeper = world.keeper();
    let all = join_all((0..8).map(|_| keeper.collateral(&world.quote, NOW))).await;
    let published = world.simulator.collateral(NOW);
    assert!(all.into_iter().all(|one| *one.unwrap() == published));
    assert_eq!(world.pccs.asked().len(), REQUESTS);
    assert_eq!(world.files(), 1);
    world.pccs.show(None);
    let again = world.keeper().collateral(&world.quote, NOW).await;
    assert_eq!(*again.unwrap(), published);
}

#[tokio::test]
async fn the_service_is_asked_about_the_machine_of_the_quote() {
    let world = World::new().await;
    world.end(&world.keeper(), NOW).await;
    let expected = [
        "/tdx/certification/v4/tcb?fmspc=00F0F0F0F0F0",
        "/tdx/certification/v4/qe/identity",
        "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
        "/sgx/certification/v4/rootcacrl",
    ];
    assert_eq!(world.pccs.asked(), expected);
}

/// A day later the old one is still given at once; the new one comes meanwhile.
#[tokio::test]
async fn nobody_waits_for_a_renewal() {
    let world = World::new().await;
    let keeper = world.keeper();
    let first = world.end(&keeper, NOW).await;
    let later = NOW + 2 * DAY_S;
    world.publish(later);
    assert_eq!(world.end(&keeper, later).await, first);
    let renewed = async {
        while world.end(&keeper, later).await == first {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), renewed)
        .await
        .unwrap();
    assert_eq!(world.pccs.asked().len(), 2 * REQUESTS);
    assert_eq!(renew(&keeper, later).await, 0);
    world.pccs.show(None);
    assert!(world.end(&world.keeper(), later).await > first);
}

#[tokio::test]
async fn a_service_that_is_down_costs_nothing_until_what_is_kept_expires() {
    let world = World::new().await;
    let keeper = world.keeper();
    let end = world.end(&keeper, NOW).await;
    world.pccs.show(None);
    let later = NOW + 2 * DAY_S;
    assert_eq!(renew(&keeper, later).await, 1);
    let asked = world.pccs.asked().len();
    assert_eq!(world.end(&keeper, later).await, end);
    assert_eq!(renew(&keeper, later + PAUSE_S - 1).await, 0);
    assert_eq!(world.pccs.asked().len(), asked);
    assert_eq!(renew(&keeper, later + PAUSE_S).await, 1);
    assert_eq!(world.end(&keeper, end).await, end);
    assert!(world.is_missing(&keeper, end + 1).await);
    assert!(world.is_missing(&world.keeper(), end + 1).await);
    world.publish(end + PAUSE_S);
    assert!(world.end(&keeper, end + 1 + PAUSE_S).await > end);
}

#[tokio::test]
async fn without_a_service_nothing_is_given_and_it_has_its_peace() {
    let world = World::new().await;
    world.pccs.show(None);
    let keeper = world.keeper();
    for _ in 0..5 {
        assert!(world.is_missing(&keeper, NOW).await);
    }
    assert_eq!(world.pccs.asked().len(), 1);
    assert!(world.is_missing(&keeper, NOW + PAUSE_S).await);
    assert_eq!(world.pccs.asked().len(), 2);
    world.publish(NOW);
    assert!(world.end(&keeper, NOW + 2 * PAUSE_S).await > NOW);
}

/// Each spoils the answers of one kind.
const GARBAGE: [(&str, Spoil); 9] = [
    ("an error", |_, reply| reply.status = 500),
    ("another place", |_, reply| reply.status = 302),
    ("no JSON", |_, reply| reply.body.truncate(20)),
    ("too long", |_, reply| reply.body.resize(600 * 1024, b' ')),
    ("not signed", |_, reply| reply.issuers = None),
    ("signed by nobody", |_, reply| {
        reply.issuers = Some("%20".into())
    }),
    ("another machine", |path, reply| {
        reply.replace(path, "tcb?", "00F0F0F0F0F0", "00F0F0F0F0F1");
    }),
    ("a better verdict", |path, reply| {
        reply.replace(path, "tcb?", r#""svn":1"#, r#""svn":0"#);
    }),
    ("another signer", |path, reply| {
        reply.replace(path, "identity", r#""isvprodid":"#, r#""isvprodid":1"#);
    }),
];

#[tokio::test]
async fn garbage_is_neither_given_nor_kept() {
    let world = World::new().await;
    for (what, spoil) in GARBAGE {
        world.pccs.spoil(Some(spoil));
        assert!(world.is_missing(&world.keeper(), NOW).await, "{what}");
        assert_eq!(world.files(), 0, "{what}");
    }
    world.pccs.spoil(None);
    for at in [NOW - 31 * DAY_S, NOW + DAY_S] {
        world.publish(at);
        assert!(world.is_missing(&world.keeper(), NOW).await, "{at}");
        assert_eq!(world.files(), 0, "{at}");
    }
    world.publish(NOW);
    assert!(world.end(&world.keeper(), NOW).await > NOW);
}

#[tokio::test]
async fn garbage_does_not_displace_what_is_good() {
    let world = World::new().await;
    let keeper = world.keeper();
    let end = world.end(&keeper, NOW).await;
    let mut later = NOW;
    for (what, spoil) in GARBAGE {
        world.pccs.spoil(Some(spoil));
        later += DAY_S;
        assert_eq!(renew(&keeper, later).await, 1, "{what}");
        assert_eq!(world.end(&keeper, later).await, end, "{what}");
    }
}

#[tokio::test]
async fn a_spoilt_file_is_not_used() {
    let world = World::new().await;
    world.end(&world.keeper(), NOW).await;
    world.pccs.show(None);
    let entry = fs::read_dir(world.kept_in()).unwrap().next().unwrap();
    let path = entry.unwrap().path();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("UpToDate", "OutOfDate")).unwrap();
    assert!(world.is_missing(&world.keeper(), NOW).await);
}

/// Who only says which machine it is makes us ask nobody.
#[tokio::test]
async fn a_quote_without_a_root_makes_nobody_ask() {
    let world = World::new().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = simulator(elsewhere.path()).machine(0).quote([7; 64]);
    let lack = world.keeper().collateral(&stranger.unwrap(), NOW).await;
    match lack {
        Err(Lack::Rejected(rejected)) => assert_eq!(rejected.reason, Reason::Chain),
        other => panic!("{other:?}"),
    }
    assert!(world.pccs.asked().is_empty());
}

#[test]
fn an_address_that_is_none_is_refused_at_the_start() {
    assert!(Source::genuine("/c".into(), Some("pccs.example")).is_err());
    assert!(matches!(
        Source::genuine("/c".into(), None),
        Ok(Source::Published(_))
    ));
}

/// What Intel published about genuine machines; it is not ours to keep in the repository.
mod genuine {
    use super::*;

    const NEAR: &str = "../../../../shared/vectors/real-dcap";
    const SAMPLES: [(&str, u64); 3] = [
        ("sgx_quote", 1_750_373_771),
        ("tdx_quote", 1_750_372_347),
        ("tdx_quote_td15ex", 1_791_461_386),
    ];

    #[tokio::test]
    async fn collateral_of_intel_is_taken_as_it_was_published() {
        let near = || Path::new(env!("CARGO_MANIFEST_DIR")).join(NEAR);
        let told = std::env::var_os("IEXEC_REAL_DCAP").map(Into::into);
        let Some(folder) = Some(told.unwrap_or_else(near)).filter(|one| one.is_dir()) else {
            return;
        };
        for (name, now) in SAMPLES {
            let quote = fs::read(folder.join(name)).unwrap();
            let quote = attest::without_padding(&quote);
            let text = fs::read(folder.join(format!("{name}_collateral.json"))).unwrap();
            let mut published: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let fields = published.as_object_mut().unwrap();
            // It is of the machine, and the quote has it too.
            fields.remove("pck_certificate_chain");
            let published: Collateral = serde_json::from_value(published).unwrap();
            let (pccs, kept) = (Pccs::start().await, tempfile::tempdir().unwrap());
            pccs.show(Some(published.clone()));
            let source = Source::genuine(kept.path().to_owned(), Some(&pccs.url)).unwrap();
            let fetched = source.collateral(quote, now).await.unwrap();
            assert_eq!(*fetched, published, "{name}");
            assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 1, "{name}");
        }
    }
}
