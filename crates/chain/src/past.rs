//! Reads of a hub at one block, and many of them in one round trip.

use alloy::{
    eips::BlockNumberOrTag,
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U256},
    providers::Provider,
    rpc::{
        client::{BatchRequest, Waiter},
        types::TransactionRequest,
    },
    sol_types::SolCall,
};
use protocol::{
    DealId, OrderHash, TaskId,
    deal::{Category, Deal, Task},
};

use crate::{
    Account, Asset, Error, Hub,
    abi::{Entry, Hub as Abi, Registry},
    convert,
};

/// A hub as it was after a block. The node must still have that state.
#[derive(Clone, Copy, Debug)]
pub struct HubAt<'a> {
    hub: &'a Hub,
    block: u64,
}

/// What an order's publication depends on (spec/market-explorer.md §6.5–10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Owner of the resource; none when it is not registered, or when none was asked about.
    pub owner: Option<Address>,
    /// Whether the signature is the signer's.
    pub signed: bool,
    /// How much of the order is used.
    pub consumed: U256,
    /// The signer's free stake, nRLC.
    pub stake: U256,
}

impl<'a> HubAt<'a> {
    pub(crate) const fn new(hub: &'a Hub, block: u64) -> Self {
        Self { hub, block }
    }

    async fn ask<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, Error> {
        let request = question(to, call);
        let answer = self.hub.provider().call(request).number(self.block).await;
        read::<C>(
            to,
            answer.map_err(|e| Error::from_transport(C::SIGNATURE, e)),
        )
    }

    /// A deal; none when the hub does not know it.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Refused`] or [`Error::Answer`], as all reads below.
    pub async fn deal(&self, id: DealId) -> Result<Option<Deal>, Error> {
        let call = Abi::viewDealCall { id: id.0 };
        Ok(convert::deal(
            id,
            self.ask(self.hub.address(), &call).await?,
        ))
    }

    /// A task; none while it is not initialised.
    ///
    /// # Errors
    /// As [`HubAt::deal`].
    pub async fn task(&self, id: TaskId) -> Result<Option<Task>, Error> {
        let call = Abi::viewTaskCall { id: id.0 };
        Ok(convert::task(
            id,
            self.ask(self.hub.address(), &call).await?,
        ))
    }

    /// A category; none when there is no such number.
    ///
    /// # Errors
    /// As [`HubAt::deal`].
    pub async fn category(&self, id: u64) -> Result<Option<Category>, Error> {
        let call = Abi::viewCategoryCall { id: U256::from(id) };
        match self.ask(self.hub.address(), &call).await {
            Ok(category) => Ok(Some(convert::category(category))),
            Err(error) if error.is_revert() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An account's deposit.
    ///
    /// # Errors
    /// As [`HubAt::deal`].
    pub async fn account(&self, account: Address) -> Result<Account, Error> {
        let call = Abi::viewAccountCall { account };
        let view = self.ask(self.hub.address(), &call).await?;
        Ok(Account {
            stake: view.stake,
            locked: view.locked,
        })
    }

    /// How much of an order's volume is used or closed.
    ///
    /// # Errors
    /// As [`HubAt::deal`].
    pub async fn consumed(&self, hash: OrderHash) -> Result<U256, Error> {
        let call = Abi::viewConsumedCall { hash: hash.0 };
        self.ask(self.hub.address(), &call).await
    }

    /// The owner of an asset.
    ///
    /// # Errors
    /// As [`HubAt::deal`].
    pub async fn owner_of(&self, entry: Address) -> Result<Address, Error> {
        self.ask(entry, &Entry::ownerCall {}).await
    }

    /// All that an order's publication depends on, in one round trip: the owner of `resource`, if
    /// any is named, and what the hub says of `signer`'s order `hash` with signature `sign`.
    ///
    /// # Errors
    /// As [`HubAt::deal`]; a malformed signature is not signed.
    pub async fn standing(
        &self,
        resource: Option<(Asset, Address)>,
        signer: Address,
        hash: OrderHash,
        sign: &Bytes,
    ) -> Result<Standing, Error> {
        let mut batch = Batch::new(self);
        let owner = resource
            .map(|(asset, entry)| batch.owner(asset, entry))
            .transpose()?;
        let signed = batch.signed(signer, hash.0, sign)?;
        let call = Abi::viewConsumedCall { hash: hash.0 };
        let consumed = batch.add(self.hub.address(), &call)?;
        let call = Abi::viewAccountCall { account: signer };
        let account = batch.add(self.hub.address(), &call)?;
        batch.send().await?;
        Ok(Standing {
            owner: match owner {
                Some(owner) => owner.read().await?,
                None => None,
            },
            signed: signed.0.yes().await? || signed.1.yes().await?,
            consumed: consumed.read().await?,
            stake: account.read().await?.stake,
        })
    }
}

fn question<C: SolCall>(to: Address, call: &C) -> TransactionRequest {
    TransactionRequest::default()
        .with_to(to)
        .with_input(call.abi_encode())
}

fn read<C: SolCall>(to: Address, answer: Result<Bytes, Error>) -> Result<C::Return, Error> {
    C::abi_decode_returns(&answer?).map_err(|_| Error::Answer {
        what: C::SIGNATURE,
        to,
    })
}

/// Calls that travel together.
struct Batch<'a> {
    at: &'a HubAt<'a>,
    batch: BatchRequest<'a>,
}

/// An answer that is on its way.
struct Pending<C> {
    to: Address,
    waiter: Waiter<Bytes>,
    call: std::marker::PhantomData<C>,
}

/// The two calls that tell who owns an asset.
struct Owner {
    registered: Pending<Registry::isRegisteredCall>,
    owner: Pending<Entry::ownerCall>,
}

type Signed = (
    Pending<Abi::verifySignatureCall>,
    Pending<Abi::verifyPresignatureCall>,
);

impl<'a> Batch<'a> {
    fn new(at: &'a HubAt<'a>) -> Self {
        let batch = BatchRequest::new(at.hub.provider().client());
        Self { at, batch }
    }

    fn add<C: SolCall>(&mut self, to: Address, call: &C) -> Result<Pending<C>, Error> {
        let block = BlockNumberOrTag::Number(self.at.block);
        let params = (question(to, call), block);
        let waiter = self.batch.add_call("eth_call", &params);
        let waiter = waiter.map_err(|e| Error::from_transport(C::SIGNATURE, e))?;
        Ok(Pending {
            to,
            waiter,
            call: std::marker::PhantomData,
        })
    }

    fn owner(&mut self, asset: Asset, entry: Address) -> Result<Owner, Error> {
        let registry = self.at.hub.registry(asset);
        Ok(Owner {
            registered: self.add(registry, &Registry::isRegisteredCall { entry })?,
            owner: self.add(entry, &Entry::ownerCall {})?,
        })
    }

    fn signed(&mut self, signer: Address, hash: B256, sign: &Bytes) -> Result<Signed, Error> {
        let hub = self.at.hub.address();
        let sign = sign.clone();
        let by_key = Abi::verifySignatureCall { signer, hash, sign };
        let on_chain = Abi::verifyPresignatureCall { signer, hash };
        Ok((self.add(hub, &by_key)?, self.add(hub, &on_chain)?))
    }

    async fn send(self) -> Result<(), Error> {
        let sent = self.batch.send().await;
        sent.map_err(|e| Error::from_transport("eth_call", e))
    }
}

impl<C: SolCall> Pending<C> {
    async fn read(self) -> Result<C::Return, Error> {
        let answer = self.waiter.await;
        read::<C>(
            self.to,
            answer.map_err(|e| Error::from_transport(C::SIGNATURE, e)),
        )
    }
}

impl<C: SolCall<Return = bool>> Pending<C> {
    /// A refusal is a no.
    async fn yes(self) -> Result<bool, Error> {
        match self.read().await {
            Err(error) if error.is_revert() => Ok(false),
            other => other,
        }
    }
}

impl Owner {
    async fn read(self) -> Result<Option<Address>, Error> {
        if !self.registered.read().await? {
            return Ok(None);
        }
        self.owner.read().await.map(Some)
    }
}
