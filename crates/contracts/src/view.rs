//! Reading the chain for a resumable deployment: everything at one block, so that the answers
//! belong together.
use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::network::TransactionBuilder as _;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use alloy::transports::TransportError;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    AppRegistry, Contract, Deployment, Error, Hub, Options, Rlc, StepName, error::is_revert,
    plan::is_code_of,
};

/// Questions asked at the same time when many are to be asked; more than this annoys public nodes.
const QUESTIONS_MAX: usize = 8;

/// A node, asked as of one block.
#[derive(Debug, Clone)]
pub(crate) struct View<'a> {
    pub(crate) provider: &'a DynProvider,
    pub(crate) block: u64,
}

pub(crate) fn asked<T>(what: impl ToString, answer: Result<T, TransportError>) -> Result<T, Error> {
    answer.map_err(|source| Error::Rpc {
        what: what.to_string(),
        source,
    })
}

/// The hash of block 0; zero where the node does not have it any more.
pub(crate) async fn genesis(provider: &DynProvider) -> Result<B256, Error> {
    let block = provider
        .get_block_by_number(BlockNumberOrTag::Number(0))
        .await;
    let block = asked("name its first block", block)?;
    Ok(block.map(|block| block.header.hash).unwrap_or_default())
}

impl<'a> View<'a> {
    /// The newest block, but none before `floor`, which is known to exist.
    pub(crate) async fn newest(provider: &'a DynProvider, floor: u64) -> Result<Self, Error> {
        let newest = asked("number its newest block", provider.get_block_number().await)?;
        Ok(Self {
            provider,
            block: newest.max(floor),
        })
    }

    fn id(&self) -> BlockId {
        BlockId::number(self.block)
    }

    pub(crate) async fn code(&self, at: Address) -> Result<Bytes, Error> {
        asked(
            "show code",
            self.provider.get_code_at(at).block_id(self.id()).await,
        )
    }

    pub(crate) async fn transactions(&self, of: Address) -> Result<u64, Error> {
        let count = self
            .provider
            .get_transaction_count(of)
            .block_id(self.id())
            .await;
        asked("count transactions", count)
    }

    /// What `deployer` created with these nonces.
    pub(crate) async fn created(
        &self,
        deployer: Address,
        nonces: std::ops::Range<u64>,
    ) -> Result<Vec<(u64, Bytes)>, Error> {
        let code = |nonce| async move { Ok((nonce, self.code(deployer.create(nonce)).await?)) };
        let codes = stream::iter(nonces).map(code).buffered(QUESTIONS_MAX);
        codes
            .try_filter(|(_, code)| std::future::ready(!code.is_empty()))
            .try_collect()
            .await
    }

    async fn call<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return, Error> {
        let request = TransactionRequest::default()
            .with_to(to)
            .with_input(call.abi_encode());
        let answer = self.provider.call(request).block(self.id()).await;
        let answer = asked(format!("call {}", C::SIGNATURE), answer)?;
        C::abi_decode_returns(&answer).map_err(|_| Error::Answer {
            to,
            call: C::SIGNATURE,
        })
    }

    /// # Errors
    /// [`Error::TokenMissing`], [`Error::NotToken`].
    pub(crate) async fn check_token(&self, token: Address, holder: Address) -> Result<(), Error> {
        if self.code(token).await?.is_empty() {
            return Err(Error::TokenMissing(token));
        }
        let balance = Rlc::balanceOfCall { account: holder };
        let balance = self.call(token, balance).await.map(drop);
        // what tells it from an ERC-721
        let decimals = self.call(token, Rlc::decimalsCall {}).await.map(drop);
        match balance.and(decimals) {
            Err(Error::Answer { .. }) => Err(Error::NotToken(token)),
            Err(Error::Rpc { source, .. }) if is_revert(&source) => Err(Error::NotToken(token)),
            answered => answered,
        }
    }

    /// Whether what the step does is there. `at` has the addresses of all steps before it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when something else is there.
    pub(crate) async fn is_done(
        &self,
        step: StepName,
        options: &Options,
        at: &Deployment,
    ) -> Result<bool, Error> {
        match step {
            StepName::Create(contract) => self.is_created(contract, options, at).await,
            StepName::Configure => self.is_configured(at).await,
            StepName::Initialize(registry) => {
                self.call(at.get(registry), AppRegistry::initializedCall {})
                    .await
            }
            // whatever the owner may have said later is no business of ours
            StepName::SetBaseUri(registry) => {
                let uri = self.call(at.get(registry), AppRegistry::baseURICall {});
                Ok(!uri.await?.is_empty())
            }
            StepName::CreateCategory(number) => self.has_category(number, options, at.hub).await,
        }
    }

    async fn is_created(
        &self,
        contract: Contract,
        options: &Options,
        at: &Deployment,
    ) -> Result<bool, Error> {
        let address = at.get(contract);
        let code = match address.is_zero() {
            true => Bytes::new(),
            false => self.code(address).await?,
        };
        Ok(is_code_of(contract, options, &code))
    }

    async fn is_configured(&self, at: &Deployment) -> Result<bool, Error> {
        let separator = self
            .call(at.hub, Hub::eip712domain_separatorCall {})
            .await?;
        if separator.is_zero() {
            return Ok(false);
        }
        let found = [
            self.call(at.hub, Hub::tokenCall {}).await?,
            self.call(at.hub, Hub::appregistryCall {}).await?,
            self.call(at.hub, Hub::datasetregistryCall {}).await?,
            self.call(at.hub, Hub::workerpoolregistryCall {}).await?,
        ];
        let wanted = [
            at.token,
            at.app_registry,
            at.dataset_registry,
            at.workerpool_registry,
        ];
        match found == wanted {
            true => Ok(true),
            false => Err(Error::Conflict {
                step: StepName::Configure,
                found: format!("the hub {} has another token or other registries", at.hub),
            }),
        }
    }

    async fn has_category(
        &self,
        number: usize,
        options: &Options,
        hub: Address,
    ) -> Result<bool, Error> {
        let step = StepName::CreateCategory(number);
        let count = self.call(hub, Hub::countCategoryCall {}).await?;
        if count == U256::from(number) {
            return Ok(false);
        }
        if count < U256::from(number) {
            let found = format!("the hub {hub} has {count} categories, after it had more");
            return Err(Error::Conflict { step, found });
        }
        let wanted = options.category(number);
        let number = U256::from(number);
        let found = self
            .call(hub, Hub::viewCategoryCall { _catid: number })
            .await?;
        let is_same = found.name == wanted.name
            && found.workClockTimeRef == U256::from(wanted.work_clock_time_ref_s);
        match is_same {
            true => Ok(true),
            false => Err(Error::Conflict {
                step,
                found: format!("the hub {hub} has the category {} there", found.name),
            }),
        }
    }
}
