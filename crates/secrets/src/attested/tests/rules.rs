//! A simulation cannot pass for the real thing, and the real thing takes no simulation.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use attest::{Policy, Reason, Stage};
use axum::{body::Body, http::Request};
use serde_json::json;
use simulator::Simulator;
use tower::ServiceExt;

use super::fixture::{Evidence, World, status};
use crate::{
    Attestation, Config, Error, Keys, Service,
    testing::{Scene, Script},
};

fn simulation(seed: PathBuf, insecure_simulation: bool) -> Attestation {
    Attestation::Simulation {
        seed,
        insecure_simulation,
        production_chains: vec![77],
    }
}

async fn opened(chain_id: u64, allowed: bool) -> Result<(), Error> {
    let allow = |folder: &Path| Some(simulation(folder.join("seed"), true));
    let (mut scene, _) = Scene::attested(&json!({}), allow).await;
    scene.chain.change(|state| state.place.0 = chain_id);
    scene.attestation = Some(simulation(scene.data_dir().join("seed"), allowed));
    scene.try_restart().await
}

#[tokio::test]
async fn a_simulation_needs_two_words_and_no_production_chain() {
    assert!(matches!(opened(31_337, false).await, Err(Error::Insecure)));
    for chain in [1, 134, 42_161, 77] {
        let refused = opened(chain, true).await;
        assert!(
            matches!(refused, Err(Error::ProductionChain { .. })),
            "{chain}"
        );
    }
    assert!(opened(31_337, true).await.is_ok());
}

#[test]
fn settings_are_strict() {
    let good = json!({ "mode": "simulation", "seed": "/s", "insecure-simulation": true });
    let read: Attestation = serde_json::from_value(good.clone()).unwrap();
    assert_eq!(
        serde_json::from_value::<Attestation>(json!(read)).unwrap(),
        read
    );
    for bad in [
        json!({ "mode": "simulation", "seed": "/s", "policy": {} }),
        json!({ "mode": "simulated", "seed": "/s" }),
        json!({ "mode": "intel", "collateral": "/c", "policy": { "debug": true } }),
        json!({ "mode": "intel", "collateral": "/c", "policy": {}, "seed": "/s" }),
    ] {
        assert!(
            serde_json::from_value::<Attestation>(bad.clone()).is_err(),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn everything_that_simulates_says_so() {
    let world = World::new().await;
    let service = &world.scene.service;
    let routers = [
        (service.router(), "/attest/v1/info"),
        (service.router(), "/tee/framework"),
        (service.operator_router(), "/version"),
        (service.operator_router(), "/metrics"),
        (service.operator_router(), "/actuator/health"),
    ];
    let mut texts = Vec::new();
    for (router, uri) in routers {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(
            response.headers()["x-attestation-mode"],
            "simulation",
            "{uri}"
        );
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        texts.push(String::from_utf8(body.to_vec()).unwrap());
    }
    assert!(texts[0].contains(r#""insecure":true"#));
    assert!(texts[2].contains("+sim"));
    assert!(texts[3].contains(r#""sms_attestation_simulated":1"#));
    assert!(texts[4].contains("insecure"));
}

#[tokio::test]
async fn the_identity_stays() {
    let mut world = World::new().await;
    let first = world.sms_id().await;
    world.scene.restart().await;
    assert_eq!(world.sms_id().await, first);
    assert_ne!(World::new().await.sms_id().await, first);
}

/// A service that takes genuine platforms only.
async fn genuine(collateral: &Path) -> World {
    let attestation = |_: &Path| intel(collateral);
    World::with(attestation).await
}

fn intel(collateral: &Path) -> Attestation {
    Attestation::Intel {
        policy: Simulator::policy(),
        collateral: collateral.to_owned(),
        pccs_url: None,
    }
}

async fn redeemed(world: &World) -> crate::testing::Answer {
    let challenge = world.challenge(Stage::App).await;
    assert!(!challenge.insecure);
    let evidence = Evidence::of(world, &challenge, &world.launched());
    world.redeem(&evidence.body).await
}

fn publish(world: &World, folder: &Path, at: u64) {
    let collateral = world.simulator.collateral(at);
    let text = serde_json::to_vec(&collateral).unwrap();
    std::fs::write(folder.join("simulated.json"), text).unwrap();
}

#[tokio::test]
async fn genuine_platforms_only_means_no_simulated_one() {
    let folder = tempfile::tempdir().unwrap();
    let world = genuine(folder.path()).await;
    status(&redeemed(&world).await, 503, "COLLATERAL_UNAVAILABLE");
    let now = world.scene.service.attested().now();
    publish(&world, folder.path(), now - 60 * 86_400);
    status(&redeemed(&world).await, 503, "COLLATERAL_UNAVAILABLE");
    publish(&world, folder.path(), now + 60 * 86_400);
    status(&redeemed(&world).await, 503, "COLLATERAL_UNAVAILABLE");
    publish(&world, folder.path(), now);
    super::rejected(&redeemed(&world).await, Reason::Chain, "Intel's root");
    assert_eq!(world.audited(), 4);
    world.has_released_nothing().await;
    let version = world.scene.service.operator_router();
    let request = Request::get("/version").body(Body::empty()).unwrap();
    let response = version.oneshot(request).await.unwrap();
    assert!(response.headers().get("x-attestation-mode").is_none());
}

/// What was kept for one kind of enclaves is never given to the other.
#[tokio::test]
async fn a_store_is_of_one_mode_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut simulated = World::new().await;
    simulated.scene.attestation = Some(intel(folder.path()));
    let refused = simulated.scene.try_restart().await;
    assert!(matches!(refused, Err(Error::OtherMode { .. })));
    let mut real = genuine(folder.path()).await;
    real.scene.attestation = Some(simulation(folder.path().join("seed"), true));
    let refused = real.scene.try_restart().await;
    assert!(matches!(refused, Err(Error::OtherMode { .. })));
}

/// A store whose passphrase nobody has given yet releases nothing, and does not say what is there.
#[tokio::test]
async fn a_sealed_store_releases_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.keys = Keys::Passphrase { file: None };
    config.attestation = Some(simulation(folder.path().join("seed"), true));
    let ledger = Script::default();
    let service = Service::open(config, Arc::new(ledger)).await.unwrap();
    for (method, path) in [
        ("POST", "sessions/x/challenge"),
        ("POST", "sessions/x/redeem"),
        ("GET", "info"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/attest/v1/{path}"));
        let request = request.body(Body::from("{}")).unwrap();
        let response = service.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 503);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        assert_eq!(body, r#"{"error":"SEALED"}"#);
    }
}

/// Rules that name no program admit none.
#[tokio::test]
async fn an_empty_policy_admits_nobody() {
    assert!(Policy::default().measurements.is_empty());
    assert_ne!(Policy::default().id(), Simulator::policy().id());
}
