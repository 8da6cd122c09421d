//! The people of a deal on the official contracts, and what they do.

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    providers::DynProvider,
    signers::{SignerSync as _, local::PrivateKeySigner},
    sol_types::{Eip712Domain, SolCall as _, SolEvent, SolStruct},
};
use anyhow::{Context as _, Result, ensure};

use super::{
    Anvil, Official,
    bindings::{
        Registry, Rlc,
        hub::{self, Hub},
    },
    deploy_official,
    official::transact,
    orders::*,
};

/// What an [`Actor`] starts with in its wallet, in nRLC.
pub(super) const ONE_RLC: u64 = 1_000_000_000;

/// Somebody with a wallet.
pub(super) struct Actor {
    pub(super) key: PrivateKeySigner,
    pub(super) provider: DynProvider,
}

impl Actor {
    /// A new account with gas and one RLC in its wallet.
    pub(super) async fn funded(official: &Official) -> Result<Self> {
        let key = PrivateKeySigner::random();
        let gas = U256::from(10).pow(U256::from(18));
        official
            .fund(key.address(), gas, U256::from(ONE_RLC))
            .await?;
        Ok(Self {
            provider: official.provider(key.clone())?,
            key,
        })
    }

    pub(super) fn address(&self) -> Address {
        self.key.address()
    }

    /// Sends the call and returns the one event of type `E` in the receipt.
    pub(super) async fn send<E: SolEvent>(&self, to: Address, call: Vec<u8>) -> Result<E> {
        let receipt = transact(&self.provider, to, call).await?;
        let event = receipt
            .decoded_log::<E>()
            .context("the expected event is missing")?;
        Ok(event.data)
    }

    pub(super) async fn deposit(&self, official: &Official, value: u64) -> Result<()> {
        let call = Rlc::approveAndCallCall {
            spender: official.hub,
            value: U256::from(value),
            data: vec![].into(),
        };
        transact(&self.provider, official.token, call.abi_encode()).await?;
        Ok(())
    }

    pub(super) fn sign_order(
        &self,
        domain: &Eip712Domain,
        order: &impl SolStruct,
    ) -> Result<Vec<u8>> {
        Ok(self
            .key
            .sign_hash_sync(&order.eip712_signing_hash(domain))?
            .as_bytes()
            .to_vec())
    }
}

/// The four people of a deal and their two assets.
pub(super) struct Scene {
    pub(super) official: Official,
    pub(super) developer: Actor,
    pub(super) scheduler: Actor,
    pub(super) requester: Actor,
    pub(super) worker: Actor,
    pub(super) app: Address,
    pub(super) workerpool: Address,
}

impl Scene {
    pub(super) async fn new(anvil: &Anvil) -> Result<Self> {
        let official = deploy_official(anvil).await?;
        let developer = Actor::funded(&official).await?;
        let scheduler = Actor::funded(&official).await?;
        let requester = Actor::funded(&official).await?;
        let worker = Actor::funded(&official).await?;
        let app = create_app(&official, &developer).await?;
        let workerpool = create_workerpool(&official, &scheduler).await?;
        scheduler.deposit(&official, POOL_PRICE).await?;
        requester.deposit(&official, POOL_PRICE + APP_PRICE).await?;
        Ok(Self {
            official,
            developer,
            scheduler,
            requester,
            worker,
            app,
            workerpool,
        })
    }

    pub(super) fn hub(&self) -> hub::Hub::HubInstance<DynProvider> {
        Hub::new(self.official.hub, self.worker.provider.clone())
    }

    /// What developer, scheduler, requester and worker have free in the hub, in nRLC.
    pub(super) async fn stakes(&self) -> Result<Vec<U256>> {
        let mut stakes = vec![];
        for actor in [
            &self.developer,
            &self.scheduler,
            &self.requester,
            &self.worker,
        ] {
            stakes.push(self.hub().viewAccount(actor.address()).call().await?.stake);
        }
        Ok(stakes)
    }

    /// Signs three orders, matches them and returns the deal's id.
    pub(super) async fn match_orders(&self, trust: u64) -> Result<B256> {
        let domain = domain(self.official.chain_id, self.official.hub);
        let app = app_order(self.app);
        let workerpool = workerpool_order(self.workerpool);
        let request = request_order(self.app, self.requester.address(), trust);
        let hashes = [
            app.eip712_signing_hash(&domain),
            workerpool.eip712_signing_hash(&domain),
            request.eip712_signing_hash(&domain),
        ];
        let app_sign = self.developer.sign_order(&domain, &app)?;
        let workerpool_sign = self.scheduler.sign_order(&domain, &workerpool)?;
        let request_sign = self.requester.sign_order(&domain, &request)?;
        let call = Hub::matchOrdersCall {
            app: signed_app_order(app, app_sign),
            dataset: no_dataset(),
            workerpool: signed_workerpool_order(workerpool, workerpool_sign),
            request: signed_request_order(request, request_sign),
        };
        let hub = self.official.hub;
        let matched: Hub::OrdersMatched = self.requester.send(hub, call.abi_encode()).await?;
        let seen = [matched.appHash, matched.workerpoolHash, matched.requestHash];
        ensure!(
            seen == hashes,
            "the hub hashes orders differently: {seen:?}, not {hashes:?}"
        );
        Ok(matched.dealid)
    }

    /// What the pool signs to let the worker take the task (spec/contracts.md §5).
    pub(super) fn authorization(&self, task: B256) -> Result<Vec<u8>> {
        let message = [&self.worker.address()[..], &task[..], &NOBODY[..]].concat();
        let signature = self
            .scheduler
            .key
            .sign_message_sync(keccak256(message).as_slice())?;
        Ok(signature.as_bytes().to_vec())
    }

    /// Makes the first task of the deal active and returns its id.
    pub(super) async fn initialize(&self, deal: B256) -> Result<B256> {
        let call = Hub::initializeCall {
            dealid: deal,
            idx: U256::ZERO,
        }
        .abi_encode();
        let event: Hub::TaskInitialize = self.worker.send(self.official.hub, call).await?;
        let expected = keccak256([&deal[..], &B256::ZERO[..]].concat());
        ensure!(event.taskid == expected, "the hub names tasks differently");
        Ok(event.taskid)
    }

    /// The worker gives the result of an active task at once.
    pub(super) async fn contribute_and_finalize(&self, task: B256) -> Result<Hub::TaskFinalize> {
        let call = Hub::contributeAndFinalizeCall {
            taskid: task,
            resultDigest: keccak256("result"),
            results: b"result".to_vec().into(),
            resultsCallback: vec![].into(),
            enclaveChallenge: NOBODY,
            enclaveSign: vec![].into(),
            authorizationSign: self.authorization(task)?.into(),
        };
        self.worker.send(self.official.hub, call.abi_encode()).await
    }
}

pub(super) async fn create_app(official: &Official, developer: &Actor) -> Result<Address> {
    let registry = Registry::new(official.app_registry, developer.provider.clone());
    let create = Registry::createAppCall {
        owner: developer.address(),
        name: "hello".to_owned(),
        kind: "DOCKER".to_owned(),
        multiaddr: b"example.org/hello:1".to_vec().into(),
        checksum: B256::repeat_byte(1),
        mrenclave: vec![].into(),
    };
    let call = create.clone();
    let predict = registry.predictApp(
        call.owner,
        call.name,
        call.kind,
        call.multiaddr,
        call.checksum,
        call.mrenclave,
    );
    let predicted = predict.call().await?;
    let minted: Registry::Transfer = developer
        .send(official.app_registry, create.abi_encode())
        .await?;
    let created = Address::from_word(minted.id.into());
    ensure!(
        created == predicted,
        "created {created}, predicted {predicted}"
    );
    Ok(created)
}

pub(super) async fn create_workerpool(official: &Official, scheduler: &Actor) -> Result<Address> {
    let registry = Registry::new(official.workerpool_registry, scheduler.provider.clone());
    let (owner, description) = (scheduler.address(), "pool".to_owned());
    let predicted = registry
        .predictWorkerpool(owner, description.clone())
        .call()
        .await?;
    let create = Registry::createWorkerpoolCall { owner, description }.abi_encode();
    let minted: Registry::Transfer = scheduler.send(official.workerpool_registry, create).await?;
    let created = Address::from_word(minted.id.into());
    ensure!(
        created == predicted,
        "created {created}, predicted {predicted}"
    );
    ensure!(
        registry.isRegistered(created).call().await?,
        "created but not registered"
    );
    Ok(created)
}
