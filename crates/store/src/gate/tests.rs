use alloy::signers::{SignerSync, local::PrivateKeySigner};
use protocol::{Bytes, Tag, U256, deal::Resource, message::SignatureValue};

use super::*;

const NOW: u64 = 1_000;
const TASK: TaskId = TaskId::repeat(1);
const DEAL: DealId = DealId::repeat(2);

struct Fake {
    task: Option<Task>,
    deal: Option<Deal>,
}

#[async_trait]
impl Chain for Fake {
    async fn now(&self) -> Result<u64, String> {
        Ok(NOW)
    }
    async fn task(&self, id: TaskId) -> Result<Option<Task>, String> {
        Ok(self.task.clone().filter(|task| task.id == id))
    }
    async fn deal(&self, id: DealId) -> Result<Option<Deal>, String> {
        Ok(self.deal.clone().filter(|deal| deal.id == id))
    }
}

fn task(status: TaskStatus) -> Task {
    Task {
        id: TASK,
        status,
        deal: DEAL,
        index: 0,
        timeref: 60,
        contribution_deadline: NOW + 420,
        reveal_deadline: 0,
        final_deadline: NOW + 600,
        consensus_value: B256::ZERO,
        reveal_counter: 0,
        winner_counter: 0,
        contributors: Vec::new(),
        result_digest: B256::ZERO,
        results: Bytes::new(),
        results_timestamp: 0,
        results_callback: Bytes::new(),
    }
}

fn deal(owner: Address, tag: Tag) -> Deal {
    let workerpool = Resource {
        owner,
        ..Resource::default()
    };
    Deal {
        id: DEAL,
        app: Resource::default(),
        dataset: Resource::default(),
        workerpool,
        trust: U256::from(1),
        category: 0,
        tag,
        requester: Address::ZERO,
        beneficiary: Address::ZERO,
        callback: Address::ZERO,
        params: String::new(),
        start_time: 0,
        bot_first: 0,
        bot_size: 1,
        worker_stake: U256::ZERO,
        scheduler_reward_ratio: U256::ZERO,
        sponsor: Address::ZERO,
    }
}

/// A pool that authorizes a worker, and the chain around them.
struct Scene {
    owner: PrivateKeySigner,
    worker: Address,
    chain: Fake,
}

impl Scene {
    fn new(status: TaskStatus, tag: Tag) -> Self {
        let owner = PrivateKeySigner::random();
        let chain = Fake {
            task: Some(task(status)),
            deal: Some(deal(owner.address(), tag)),
        };
        let worker = Address::repeat_byte(7);
        Self {
            owner,
            worker,
            chain,
        }
    }

    fn authorization(&self, enclave_challenge: Address) -> Authorization {
        let hash = digest::authorization(self.worker, TASK, enclave_challenge);
        let signature = self.owner.sign_message_sync(hash.as_slice()).unwrap();
        let value = Bytes::copy_from_slice(&signature.as_bytes());
        Authorization {
            chain_task_id: TASK,
            deal_id: DEAL,
            task_index: 0,
            worker_wallet: self.worker,
            enclave_challenge,
            signature: SignatureValue { value },
        }
    }

    async fn ask(self, authorization: &Authorization) -> Result<Permit, Refusal> {
        let signer = self.worker;
        ChainGate::new(self.chain)
            .may_upload(authorization, signer)
            .await
    }
}

#[tokio::test]
async fn an_authorized_worker_may_upload_until_the_final_deadline() {
    for status in [TaskStatus::Active, TaskStatus::Revealing] {
        let scene = Scene::new(status, Tag::NONE);
        let authorization = scene.authorization(Address::ZERO);
        let answer = scene.ask(&authorization).await;
        assert_eq!(answer, Ok(Permit { life_s: 600 }));
    }
}

#[tokio::test]
async fn a_task_that_needs_no_result_takes_none() {
    for status in [TaskStatus::Unset, TaskStatus::Completed, TaskStatus::Failed] {
        let scene = Scene::new(status, Tag::NONE);
        let authorization = scene.authorization(Address::ZERO);
        let answer = scene.ask(&authorization).await;
        assert_eq!(answer, Err(Refusal::TaskClosed(status.name())));
    }
}

#[tokio::test]
async fn an_unknown_task_or_deal_is_refused() {
    let mut scene = Scene::new(TaskStatus::Active, Tag::NONE);
    let authorization = scene.authorization(Address::ZERO);
    scene.chain.task = None;
    let answer = scene.ask(&authorization).await;
    assert_eq!(answer, Err(Refusal::TaskUnknown(TASK)));
    let mut scene = Scene::new(TaskStatus::Active, Tag::NONE);
    let authorization = scene.authorization(Address::ZERO);
    scene.chain.deal = None;
    let answer = scene.ask(&authorization).await;
    assert_eq!(answer, Err(Refusal::DealUnknown(DEAL)));
}

#[tokio::test]
async fn the_final_deadline_itself_is_too_late() {
    let mut scene = Scene::new(TaskStatus::Active, Tag::NONE);
    let authorization = scene.authorization(Address::ZERO);
    scene.chain.task = Some(Task {
        final_deadline: NOW,
        ..task(TaskStatus::Active)
    });
    let answer = scene.ask(&authorization).await;
    assert_eq!(answer, Err(Refusal::DeadlineOver));
}

#[tokio::test]
async fn only_the_deals_pool_owner_authorizes() {
    let scene = Scene::new(TaskStatus::Active, Tag::NONE);
    let stranger = Scene::new(TaskStatus::Active, Tag::NONE);
    let authorization = stranger.authorization(Address::ZERO);
    let answer = scene.ask(&authorization).await;
    assert_eq!(answer, Err(Refusal::NotTheOwner));
}

#[tokio::test]
async fn an_authorization_is_not_transferable() {
    let mut scene = Scene::new(TaskStatus::Active, Tag::NONE);
    let mut authorization = scene.authorization(Address::ZERO);
    scene.worker = Address::repeat_byte(8);
    let answer = ChainGate::new(scene.chain)
        .may_upload(&authorization, scene.worker)
        .await;
    assert_eq!(answer, Err(Refusal::NotTheWorker));

    let scene = Scene::new(TaskStatus::Active, Tag::NONE);
    authorization.worker_wallet = scene.worker;
    let answer = scene.ask(&authorization).await;
    assert_eq!(answer, Err(Refusal::NotTheOwner));
}

#[tokio::test]
async fn an_enclave_challenge_goes_with_a_tee_tag() {
    let enclave = Address::repeat_byte(9);
    for (tag, challenge, fits) in [
        (Tag::TEE_TDX, enclave, true),
        (Tag::TEE_TDX, Address::ZERO, false),
        (Tag::NONE, enclave, false),
    ] {
        let scene = Scene::new(TaskStatus::Active, tag);
        let authorization = scene.authorization(challenge);
        let answer = scene.ask(&authorization).await;
        assert_eq!(answer.is_ok(), fits, "{tag} {challenge}");
    }
}
