//! A deployment through JSON-RPC.
use alloy::network::EthereumWallet;
use alloy::primitives::{Address, U256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::transports::http::reqwest::Url;
use contracts::{AppRegistry, Category, Deployment, Error, Hub, HubNative, Options, Plan, Rlc};

use crate::stage::key;

mod resume;

/// A node of its own for every test, and a client that signs for the deployer.
async fn node() -> (DynProvider, Address) {
    let signer = key(1);
    let deployer = signer.address();
    let provider = ProviderBuilder::new()
        .wallet(EthereumWallet::from(signer))
        .connect_http(serve(open().router()).await)
        .erased();
    (provider, deployer)
}

fn open() -> devchain::Node {
    let coins = U256::from(10).pow(U256::from(18));
    let config = devchain::Config {
        alloc: [(key(1).address(), coins)].into_iter().collect(),
        ..devchain::Config::default()
    };
    devchain::Node::open(config).unwrap()
}

/// Serves until the test ends.
async fn serve(router: axum::Router) -> Url {
    install_tls();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url.parse().unwrap()
}

fn options() -> Options {
    let extra = Category {
        name: "local".to_owned(),
        description: String::new(),
        work_clock_time_ref_s: 1,
    };
    Options {
        extra_categories: vec![extra],
        ..Options::default()
    }
}

/// The HTTP client wants a provider of TLS even where it speaks none.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_complete_and_where_it_was_planned() {
    let (provider, deployer) = node().await;
    let at = contracts::deploy(&provider, deployer, &options())
        .await
        .unwrap();
    assert_eq!(at, Plan::new(deployer, 0, &options()).deployment);
    let hub = Hub::new(at.hub, &provider);
    assert_eq!(hub.owner().call().await.unwrap(), deployer);
    assert_eq!(hub.token().call().await.unwrap(), at.token);
    assert_eq!(hub.appregistry().call().await.unwrap(), at.app_registry);
    assert_eq!(
        hub.workerpoolregistry().call().await.unwrap(),
        at.workerpool_registry
    );
    assert_eq!(hub.countCategory().call().await.unwrap(), U256::from(6));
    assert_eq!(
        hub.viewCategory(U256::from(5))
            .call()
            .await
            .unwrap()
            .workClockTimeRef,
        U256::ONE
    );
    let supply = Rlc::new(at.token, &provider)
        .balanceOf(deployer)
        .call()
        .await
        .unwrap();
    assert_eq!(supply, U256::from(87_000_000_000_000_000_u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_token_is_used() {
    let (provider, deployer) = node().await;
    let token = Address::repeat_byte(7);
    let options = Options {
        token: Some(token),
        ..Options::default()
    };
    let first = contracts::deploy(&provider, deployer, &options)
        .await
        .unwrap();
    let second = contracts::deploy(&provider, deployer, &options)
        .await
        .unwrap();
    assert_eq!((first.token, second.token), (token, token));
    assert_ne!(first.hub, second.hub);
    let hub = Hub::new(second.hub, &provider);
    assert_eq!(hub.countCategory().call().await.unwrap(), U256::from(5));
    let Deployment {
        dataset_registry, ..
    } = second;
    assert_eq!(
        hub.datasetregistry().call().await.unwrap(),
        dataset_registry
    );
}

#[tokio::test]
async fn a_node_that_is_not_there_is_named() {
    install_tls();
    let url = "http://127.0.0.1:9".parse().unwrap();
    let provider = ProviderBuilder::new().connect_http(url).erased();
    let refused = contracts::deploy(&provider, Address::ZERO, &options())
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Rpc { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_hub_has_no_token_and_holds_coins() {
    let (provider, deployer) = node().await;
    let options = Options {
        native: true,
        ..Options::default()
    };
    let at = contracts::deploy(&provider, deployer, &options)
        .await
        .unwrap();
    assert_eq!(at.token, Address::ZERO);
    let hub = HubNative::new(at.hub, &provider);
    assert_eq!(hub.token().call().await.unwrap(), Address::ZERO);
    let deposit = hub.deposit().value(U256::from(5_000_000_001_u64));
    let sent = deposit.from(deployer).send().await.unwrap();
    assert!(sent.get_receipt().await.unwrap().status());
    let account = hub.viewAccount(deployer).call().await.unwrap();
    assert_eq!(account.stake, U256::from(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn registries_name_their_metadata_when_asked_to() {
    let (provider, deployer) = node().await;
    let options = Options {
        metadata_chain_id: Some(7),
        ..Options::default()
    };
    let at = contracts::deploy(&provider, deployer, &options)
        .await
        .unwrap();
    for (registry, kind) in [
        (at.app_registry, "app"),
        (at.dataset_registry, "dataset"),
        (at.workerpool_registry, "workerpool"),
    ] {
        let registry = AppRegistry::new(registry, &provider);
        let expected = format!("https://nfts-metadata.iex.ec/{kind}/7/");
        assert_eq!(registry.baseURI().call().await.unwrap(), expected);
    }
}
