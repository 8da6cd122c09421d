//! The whole way: a machine's quote, through the verifier that takes real ones.

use attest::{Attester, Binding, Evidence, Measured, Reason, Stage, Trust, Verifier, appraise};
use proptest::prelude::*;
use protocol::{Address, B256, TaskId};

use super::*;

const NOW: u64 = 1_795_761_000;

struct Scene {
    simulator: Simulator,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = Simulator::open(&folder.path().join("seed")).unwrap();
        Self { simulator, folder }
    }

    fn again(&self) -> Simulator {
        Simulator::open(&self.folder.path().join("seed")).unwrap()
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(
            Trust::Simulated(self.simulator.root_der()),
            Simulator::policy(),
        )
    }

    fn verify(&self, quote: &[u8]) -> Result<Evidence, Reason> {
        let collateral = self.simulator.collateral(NOW);
        let verdict = self.verifier().verify(quote, &collateral, NOW);
        verdict.map_err(|rejected| rejected.reason)
    }
}

fn binding() -> Binding {
    Binding {
        chain_id: 65_535,
        hub: Address::repeat_byte(1),
        sms_id: [2; 32],
        session_id: "session".into(),
        task: TaskId::repeat(3),
        worker: Address::repeat_byte(4),
        enclave_challenge: Address::repeat_byte(5),
        stage: Stage::App,
        app_digest: B256::repeat_byte(6),
        nonce: [7; 32],
        hpke_pub: [8; 32],
    }
}

#[test]
fn a_machine_passes_the_verifier_of_real_ones() {
    let scene = Scene::new();
    let machine = scene.simulator.attester();
    machine.extend(binding().launch()).unwrap();
    let quote = machine.quote(binding().report_data()).unwrap();
    let evidence = scene.verify(&quote).unwrap();
    assert_eq!(evidence.status, "UpToDate");
    let log = machine.event_log().unwrap();
    let mut policy = Simulator::policy();
    for one_task in [false, true] {
        policy.one_task = one_task;
        let platform = appraise(&evidence, &log, &binding(), &policy).unwrap();
        assert_eq!(platform, evidence.platform_id);
    }
}

#[test]
fn intel_does_not_vouch_for_it() {
    let scene = Scene::new();
    let quote = scene.simulator.attester().quote([0; 64]).unwrap();
    let verifier = Verifier::new(Trust::Intel, Simulator::policy());
    let verdict = verifier.verify(&quote, &scene.simulator.collateral(NOW), NOW);
    assert_eq!(verdict.unwrap_err().reason, Reason::Chain);
}

#[test]
fn everything_follows_from_the_seed() {
    let (scene, other) = (Scene::new(), Scene::new());
    let again = scene.again();
    let quote = |simulator: &Simulator| simulator.attester().quote([9; 64]).unwrap();
    assert_eq!(again.root_der(), scene.simulator.root_der());
    assert_eq!(again.collateral(NOW), scene.simulator.collateral(NOW));
    assert_eq!(quote(&again), quote(&scene.simulator));
    assert_ne!(other.simulator.root_der(), scene.simulator.root_der());
    // The names in the certificates are the same, the keys are not.
    assert_eq!(scene.verify(&quote(&other.simulator)), Err(Reason::Chain));
}

#[test]
fn machines_differ() {
    let scene = Scene::new();
    let id = |number| {
        let quote = scene.simulator.machine(number).quote([0; 64]).unwrap();
        scene.verify(&quote).unwrap().platform_id
    };
    assert_eq!(id(0), id(0));
    assert_ne!(id(0), id(1));
}

#[test]
fn each_extension_shows_in_the_register() {
    let scene = Scene::new();
    let machine = scene.simulator.attester();
    let register = |machine: &Machine| {
        let evidence = scene.verify(&machine.quote([0; 64]).unwrap()).unwrap();
        match evidence.measured {
            Measured::Tdx { rtmr, .. } => rtmr[3],
            Measured::Sgx { .. } => panic!("not a machine"),
        }
    };
    let before = register(&machine);
    assert_eq!(before, machine.event_log().unwrap().replay());
    machine.extend(binding().launch()).unwrap();
    assert_ne!(register(&machine), before);
    assert_eq!(register(&scene.simulator.attester()), before);
}

#[test]
fn what_it_publishes_ages() {
    let scene = Scene::new();
    let quote = scene.simulator.attester().quote([0; 64]).unwrap();
    let collateral = scene.simulator.collateral(NOW);
    let month = collateral.expires_at().unwrap() - NOW;
    assert!((29 * 86_400..=30 * 86_400).contains(&month));
    for later in [month + 1, 2 * month] {
        let verdict = scene.verifier().verify(&quote, &collateral, NOW + later);
        assert_eq!(verdict.unwrap_err().reason, Reason::Chain);
    }
    let fresh = scene.simulator.collateral(NOW + 2 * month);
    assert!(
        scene
            .verifier()
            .verify(&quote, &fresh, NOW + 2 * month)
            .is_ok()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A change anywhere but in the text of the certificates is refused.
    #[test]
    fn no_change_is_taken(place in 0_usize..1258, change in 1_u8..=255) {
        let scene = Scene::new();
        let mut quote = scene.simulator.attester().quote([1; 64]).unwrap();
        quote[place] ^= change;
        prop_assert!(scene.verify(&quote).is_err());
    }
}
