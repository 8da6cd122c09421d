//! Transactions of one wallet on a hub: this is where an order is matched and a task is
//! initialized, contributed, finalized and claimed.

use std::path::Path;

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolCall, SolEvent},
};
use protocol::{
    DealId, TaskId,
    deal::Category,
    digest,
    message::Authorization,
    order::{AppOrder, DatasetOrder, RequestOrder, Signed, WorkerpoolOrder},
};

use crate::{
    Asset, Error, Hub, Policy, Receipt, Sender, Wallet,
    abi::{self, Hub as Abi, Registry, Token},
    convert,
    hub::WEI_PER_NRLC,
};

/// The `operation` that closes an order (spec/contracts.md §3).
const CLOSE: u8 = 1;
/// A standard task has no enclave signature; the contract ignores the bytes.
const NO_ENCLAVE_SIGN: [u8; 32] = [0; 32];

/// An asset to register. The same content and owner can be registered once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewAsset {
    /// An app.
    App {
        /// Its owner.
        owner: Address,
        /// Display name.
        name: String,
        /// `DOCKER`.
        kind: String,
        /// Where the image is, encoded by [`protocol::multiaddr::encode`].
        multiaddr: Bytes,
        /// The image's digest.
        checksum: B256,
        /// Enclave configuration; empty for standard apps.
        mrenclave: Bytes,
    },
    /// A dataset.
    Dataset {
        /// Its owner.
        owner: Address,
        /// Display name.
        name: String,
        /// Where the encrypted file is.
        multiaddr: Bytes,
        /// sha256 of that file.
        checksum: B256,
    },
    /// A workerpool.
    Workerpool {
        /// Its owner.
        owner: Address,
        /// Free text.
        description: String,
    },
}

impl NewAsset {
    /// Which registry it goes to.
    pub fn kind(&self) -> Asset {
        match self {
            Self::App { .. } => Asset::App,
            Self::Dataset { .. } => Asset::Dataset,
            Self::Workerpool { .. } => Asset::Workerpool,
        }
    }

    pub(crate) fn predict_call(&self) -> Vec<u8> {
        match self.clone() {
            Self::App {
                owner,
                name,
                kind,
                multiaddr,
                checksum,
                mrenclave,
            } => {
                let call = Registry::predictAppCall {
                    owner,
                    name,
                    kind,
                    multiaddr,
                    checksum,
                    mrenclave,
                };
                call.abi_encode()
            }
            Self::Dataset {
                owner,
                name,
                multiaddr,
                checksum,
            } => Registry::predictDatasetCall {
                owner,
                name,
                multiaddr,
                checksum,
            }
            .abi_encode(),
            Self::Workerpool { owner, description } => {
                Registry::predictWorkerpoolCall { owner, description }.abi_encode()
            }
        }
    }

    fn create_call(&self) -> Vec<u8> {
        match self.clone() {
            Self::App {
                owner,
                name,
                kind,
                multiaddr,
                checksum,
                mrenclave,
            } => {
                let call = Registry::createAppCall {
                    owner,
                    name,
                    kind,
                    multiaddr,
                    checksum,
                    mrenclave,
                };
                call.abi_encode()
            }
            Self::Dataset {
                owner,
                name,
                multiaddr,
                checksum,
            } => Registry::createDatasetCall {
                owner,
                name,
                multiaddr,
                checksum,
            }
            .abi_encode(),
            Self::Workerpool { owner, description } => {
                Registry::createWorkerpoolCall { owner, description }.abi_encode()
            }
        }
    }
}

/// An order that its owner can close on chain.
pub trait Closable {
    #[doc(hidden)]
    fn close_call(&self) -> Vec<u8>;
}

macro_rules! closable {
    ($order:ident, $operation:ident, $call:ident) => {
        impl Closable for Signed<$order> {
            fn close_call(&self) -> Vec<u8> {
                let op = abi::$operation {
                    order: self.into(),
                    operation: CLOSE,
                    sign: Bytes::new(),
                };
                Abi::$call { op }.abi_encode()
            }
        }
    };
}

closable!(AppOrder, AppOrderOperation, manageAppOrderCall);
closable!(DatasetOrder, DatasetOrderOperation, manageDatasetOrderCall);
closable!(
    WorkerpoolOrder,
    WorkerpoolOrderOperation,
    manageWorkerpoolOrderCall
);
closable!(RequestOrder, RequestOrderOperation, manageRequestOrderCall);

/// A hub with a wallet that acts on it. A cheap clone; all clones share the wallet's queue.
#[derive(Clone, Debug)]
pub struct Actor {
    hub: Hub,
    sender: Sender,
}

impl Actor {
    /// `wallet` acting on `hub`.
    pub fn new(hub: Hub, wallet: Wallet) -> Self {
        Self::with_policy(hub, wallet, Policy::default())
    }

    /// The same, pricing and confirming transactions as the wallet's owner says.
    pub fn with_policy(hub: Hub, wallet: Wallet, policy: Policy) -> Self {
        let sender = Sender::new(&hub, wallet, policy);
        Self { hub, sender }
    }

    /// `wallet` acting on `hub`, for a service that may be killed: what it sent is written down in
    /// `folder`, and seen to by the next one that is opened there.
    ///
    /// # Errors
    /// As [`Sender::open`].
    pub async fn open(hub: Hub, wallet: Wallet, folder: &Path) -> Result<Self, Error> {
        let sender = Sender::open(&hub, wallet, Policy::default(), folder).await?;
        Ok(Self { hub, sender })
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The wallet.
    pub fn wallet(&self) -> &Wallet {
        self.sender.wallet()
    }

    /// The wallet's address.
    pub fn address(&self) -> Address {
        self.wallet().address()
    }

    pub(crate) async fn act<C: SolCall>(&self, call: C) -> Result<Receipt, Error> {
        self.act_on(self.hub.address(), call).await
    }

    pub(crate) async fn act_on<C: SolCall>(&self, to: Address, call: C) -> Result<Receipt, Error> {
        self.sender
            .send(C::SIGNATURE, to, call.abi_encode(), U256::ZERO)
            .await
    }

    /// Matches four orders into a deal and returns its id and volume (tasks).
    ///
    /// # Errors
    /// [`Error::Reverted`] with the code of spec/contracts.md §8.5 when they do not match; all
    /// transactions below also fail as [`Sender::send`] does.
    pub async fn match_orders(
        &self,
        app: &Signed<AppOrder>,
        dataset: &Signed<DatasetOrder>,
        workerpool: &Signed<WorkerpoolOrder>,
        request: &Signed<RequestOrder>,
    ) -> Result<(DealId, U256, Receipt), Error> {
        let call = Abi::matchOrdersCall {
            a: app.into(),
            d: dataset.into(),
            w: workerpool.into(),
            r: request.into(),
        };
        let receipt = self.act(call).await?;
        let event: Abi::OrdersMatched = find(&receipt, self.hub.address())?;
        Ok((DealId(event.dealid), event.volume, receipt))
    }

    /// Initializes tasks of a deal: one call for one, the array call for more.
    ///
    /// # Errors
    /// [`Error::Reverted`] when one of them is initialized already: nothing changes then.
    pub async fn initialize(&self, deal: DealId, indices: &[u64]) -> Result<Receipt, Error> {
        let idx: Vec<U256> = indices.iter().copied().map(U256::from).collect();
        match idx[..] {
            [idx] => {
                self.act(Abi::initializeCall {
                    dealid: deal.0,
                    idx,
                })
                .await
            }
            _ => {
                let dealids = vec![deal.0; idx.len()];
                self.act(Abi::initializeArrayCall { dealids, idx }).await
            }
        }
    }

    /// Contributes, reveals and finalizes in one transaction: trust 1 only.
    ///
    /// One is sent for each task, whatever it says: a worker that was killed may compute the result
    /// again, and its archive then has another link.
    ///
    /// # Errors
    /// [`Error::Reverted`] when somebody contributed already or the deadline is over.
    pub async fn contribute_and_finalize(
        &self,
        task: TaskId,
        result_digest: B256,
        results: Bytes,
        callback: Bytes,
        authorization: &Authorization,
        enclave_sign: Bytes,
    ) -> Result<Receipt, Error> {
        let call = Abi::contributeAndFinalizeCall {
            taskid: task.0,
            resultDigest: result_digest,
            results,
            resultsCallback: callback,
            enclaveChallenge: authorization.enclave_challenge,
            enclaveSign: match enclave_sign.is_empty() {
                true => Bytes::from_static(&NO_ENCLAVE_SIGN),
                false => enclave_sign,
            },
            authorizationSign: authorization.signature.value.clone(),
        };
        let what = Abi::contributeAndFinalizeCall::SIGNATURE;
        let name = keccak256([what.as_bytes(), task.0.as_slice()].concat());
        let (hub, data) = (self.hub.address(), call.abi_encode());
        self.sender
            .send_once(name, what, hub, data, U256::ZERO)
            .await
    }

    /// Contributes the hash of a result; locks the worker's stake.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the task does not take contributions from this worker.
    pub async fn contribute(
        &self,
        task: TaskId,
        result_digest: B256,
        authorization: &Authorization,
    ) -> Result<Receipt, Error> {
        self.act(Abi::contributeCall {
            taskid: task.0,
            resultHash: digest::result_hash(task, result_digest),
            resultSeal: digest::result_seal(self.address(), task, result_digest),
            enclaveChallenge: authorization.enclave_challenge,
            enclaveSign: Bytes::from_static(&NO_ENCLAVE_SIGN),
            authorizationSign: authorization.signature.value.clone(),
        })
        .await
    }

    /// Reveals the digest contributed before.
    ///
    /// # Errors
    /// [`Error::Reverted`] when it is not the consensus or too late.
    pub async fn reveal(&self, task: TaskId, result_digest: B256) -> Result<Receipt, Error> {
        self.act(Abi::revealCall {
            taskid: task.0,
            resultDigest: result_digest,
        })
        .await
    }

    /// Finalizes a revealed task: pays everybody. Only the workerpool's owner may.
    ///
    /// # Errors
    /// [`Error::Reverted`] when reveals are missing or it is too late.
    pub async fn finalize(
        &self,
        task: TaskId,
        results: Bytes,
        callback: Bytes,
    ) -> Result<Receipt, Error> {
        self.act(Abi::finalizeCall {
            taskid: task.0,
            results,
            resultsCallback: callback,
        })
        .await
    }

    /// Lets a task take contributions again that nobody revealed. Only the workerpool's owner may.
    ///
    /// # Errors
    /// [`Error::Reverted`] before the reveal deadline, after a reveal, or after the final deadline.
    pub async fn reopen(&self, task: TaskId) -> Result<Receipt, Error> {
        self.act(Abi::reopenCall { taskid: task.0 }).await
    }

    /// Gives the money of an unfinished task back after its final deadline.
    ///
    /// # Errors
    /// [`Error::Reverted`] before the deadline or when the task is finished.
    pub async fn claim(&self, task: TaskId) -> Result<Receipt, Error> {
        self.act(Abi::claimCall { taskid: task.0 }).await
    }

    /// Claims several initialized tasks at once.
    ///
    /// # Errors
    /// [`Error::Reverted`] when one of them cannot be claimed: nothing changes then.
    pub async fn claim_many(&self, tasks: &[TaskId]) -> Result<Receipt, Error> {
        self.act(Abi::claimArrayCall {
            taskids: tasks.iter().map(|t| t.0).collect(),
        })
        .await
    }

    /// Initializes and claims tasks that were never initialized.
    ///
    /// # Errors
    /// As [`Actor::claim_many`].
    pub async fn initialize_and_claim(
        &self,
        deal: DealId,
        indices: &[u64],
    ) -> Result<Receipt, Error> {
        let idx: Vec<U256> = indices.iter().copied().map(U256::from).collect();
        let dealids = vec![deal.0; idx.len()];
        self.act(Abi::initializeAndClaimArrayCall { dealids, idx })
            .await
    }

    /// Moves nRLC from the wallet into the hub, in one transaction.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the wallet has less.
    pub async fn deposit(&self, nrlc: U256) -> Result<Receipt, Error> {
        let hub = self.hub.address();
        if self.hub.is_native() {
            let call = Abi::depositCall {}.abi_encode();
            return self.sender.send("deposit", hub, call, wei(nrlc)).await;
        }
        let call = Token::approveAndCallCall {
            spender: hub,
            amount: nrlc,
            data: Bytes::new(),
        };
        self.act_on(self.hub.token(), call).await
    }

    /// Lets `spender` move nRLC of this account's deposit; zero takes it back.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn approve(&self, spender: Address, nrlc: U256) -> Result<Receipt, Error> {
        self.act(Abi::approveCall {
            spender,
            amount: nrlc,
        })
        .await
    }

    /// Adds a category and returns its number. Only the hub's owner may.
    ///
    /// # Errors
    /// [`Error::Reverted`] for everybody else.
    pub async fn create_category(&self, category: &Category) -> Result<(u64, Receipt), Error> {
        let call = Abi::createCategoryCall {
            name: category.name.clone(),
            description: category.description.clone(),
            workClockTimeRef: U256::from(category.work_clock_time_ref),
        };
        let receipt = self.act(call).await?;
        let event: Abi::CreateCategory = find(&receipt, self.hub.address())?;
        Ok((event.catid.saturating_to(), receipt))
    }

    /// Moves nRLC from the hub back into the wallet.
    ///
    /// # Errors
    /// [`Error::Reverted`] when less is free.
    pub async fn withdraw(&self, nrlc: U256) -> Result<Receipt, Error> {
        self.act(Abi::withdrawCall { amount: nrlc }).await
    }

    /// Sends nRLC from wallet to wallet.
    ///
    /// # Errors
    /// [`Error::Reverted`] when the wallet has less.
    pub async fn transfer_rlc(&self, to: Address, nrlc: U256) -> Result<Receipt, Error> {
        if self.hub.is_native() {
            return self.transfer_gas(to, wei(nrlc)).await;
        }
        self.act_on(self.hub.token(), Token::transferCall { to, amount: nrlc })
            .await
    }

    /// Sends the chain's coin, in wei.
    ///
    /// # Errors
    /// [`Error::Refused`] when the wallet has less.
    pub async fn transfer_gas(&self, to: Address, wei: U256) -> Result<Receipt, Error> {
        self.sender.send("transfer", to, Vec::new(), wei).await
    }

    /// Sends all of the chain's coin that paying for it leaves; how much, in wei. None when that is
    /// nothing.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn transfer_all_gas(&self, to: Address) -> Result<Option<(U256, Receipt)>, Error> {
        self.sender.send_all(to).await
    }

    /// Registers an asset and returns its address.
    ///
    /// # Errors
    /// [`Error::Reverted`] when it is registered already.
    pub async fn create(&self, asset: &NewAsset) -> Result<(Address, Receipt), Error> {
        let to = self.hub.registry(asset.kind());
        let receipt = self
            .sender
            .send("create", to, asset.create_call(), U256::ZERO)
            .await?;
        let event: Registry::Transfer = find(&receipt, to)?;
        Ok((convert::entry(event.tokenId), receipt))
    }

    /// Gives an asset to somebody else.
    ///
    /// # Errors
    /// [`Error::Reverted`] when it is not ours.
    pub async fn transfer_asset(
        &self,
        asset: Asset,
        entry: Address,
        to: Address,
    ) -> Result<Receipt, Error> {
        let id = U256::from_be_bytes(entry.into_word().0);
        let call = Registry::safeTransferFromCall {
            from: self.address(),
            to,
            id,
        };
        self.act_on(self.hub.registry(asset), call).await
    }

    /// Closes an order on chain for good.
    ///
    /// # Errors
    /// [`Error::Reverted`] when it is not ours.
    pub async fn close_order(&self, order: &impl Closable) -> Result<Receipt, Error> {
        let call = order.close_call();
        self.sender
            .send("manageOrder", self.hub.address(), call, U256::ZERO)
            .await
    }
}

/// The coin that makes up this much RLC in native mode.
fn wei(nrlc: U256) -> U256 {
    nrlc.saturating_mul(U256::from(WEI_PER_NRLC))
}

fn find<E: SolEvent>(receipt: &Receipt, from: Address) -> Result<E, Error> {
    let mut logs = receipt.logs.iter().filter(|log| log.address() == from);
    logs.find_map(|log| E::decode_log(&log.inner).ok())
        .map(|log| log.data)
        .ok_or(Error::NoEvent {
            tx: receipt.tx,
            event: E::SIGNATURE,
        })
}
