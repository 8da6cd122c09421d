//! The Ethereum Name Service of a chain that has one (ERC-137, ERC-181, ERC-634): nodes in, what
//! they hold out. What a name is, and which node it has, is the caller's business.

use alloy::primitives::{Address, B256};

use crate::{
    Actor, Error, Hub, Receipt,
    abi::{Entry, Names as Abi, Registrar, Resolver, ReverseRegistrar},
};

/// Reads of the name registry at one address. A cheap clone.
#[derive(Clone, Debug)]
pub struct Names {
    hub: Hub,
    registry: Address,
}

impl Names {
    /// The registry on the chain of `hub`.
    pub fn new(hub: Hub, registry: Address) -> Self {
        Self { hub, registry }
    }

    /// Where it is.
    pub fn registry(&self) -> Address {
        self.registry
    }

    /// Who owns a node; zero when nobody does.
    ///
    /// # Errors
    /// As [`Hub::deal`], as all reads below.
    pub async fn owner(&self, node: B256) -> Result<Address, Error> {
        self.hub.entry(self.registry, Abi::ownerCall { node }).await
    }

    /// Which contract knows what a node stands for; none when it stands for nothing.
    ///
    /// # Errors
    /// As [`Names::owner`].
    pub async fn resolver(&self, node: B256) -> Result<Option<Address>, Error> {
        let resolver = self
            .hub
            .entry(self.registry, Abi::resolverCall { node })
            .await?;
        Ok(Some(resolver).filter(|resolver| !resolver.is_zero()))
    }

    /// The address of a node, if it has one.
    ///
    /// # Errors
    /// As [`Names::owner`].
    pub async fn address(&self, node: B256) -> Result<Option<Address>, Error> {
        let Some(resolver) = self.resolver(node).await? else {
            return Ok(None);
        };
        let address = self
            .hub
            .entry(resolver, Resolver::addrCall { node })
            .await?;
        Ok(Some(address).filter(|address| !address.is_zero()))
    }

    /// The name that a reverse node claims, if it claims one.
    ///
    /// # Errors
    /// As [`Names::owner`].
    pub async fn name(&self, node: B256) -> Result<Option<String>, Error> {
        let Some(resolver) = self.resolver(node).await? else {
            return Ok(None);
        };
        let name = self
            .hub
            .entry(resolver, Resolver::nameCall { node })
            .await?;
        Ok(Some(name).filter(|name| !name.is_empty()))
    }
}

impl Actor {
    /// Takes the name `label` of a domain whose registrar gives names to whoever comes first.
    ///
    /// # Errors
    /// [`Error::Reverted`] when somebody has it; as [`crate::Sender::send`], as all below.
    pub async fn register_label(&self, registrar: Address, label: B256) -> Result<Receipt, Error> {
        let owner = self.address();
        self.act_on(registrar, Registrar::registerCall { label, owner })
            .await
    }

    /// Says which contract knows what a node stands for.
    ///
    /// # Errors
    /// As [`Actor::register_label`].
    pub async fn set_resolver(
        &self,
        names: &Names,
        node: B256,
        resolver: Address,
    ) -> Result<Receipt, Error> {
        self.act_on(names.registry(), Abi::setResolverCall { node, resolver })
            .await
    }

    /// Says which address a node stands for.
    ///
    /// # Errors
    /// As [`Actor::register_label`].
    pub async fn set_address(
        &self,
        resolver: Address,
        node: B256,
        target: Address,
    ) -> Result<Receipt, Error> {
        self.act_on(resolver, Resolver::setAddrCall { node, target })
            .await
    }

    /// Keeps a text with a node.
    ///
    /// # Errors
    /// As [`Actor::register_label`].
    pub async fn set_text(
        &self,
        resolver: Address,
        node: B256,
        key: &str,
        value: &str,
    ) -> Result<Receipt, Error> {
        let call = Resolver::setTextCall {
            node,
            key: key.to_owned(),
            value: value.to_owned(),
        };
        self.act_on(resolver, call).await
    }

    /// Makes the wallet's address claim a name.
    ///
    /// # Errors
    /// As [`Actor::register_label`].
    pub async fn claim_name(&self, registrar: Address, name: &str) -> Result<Receipt, Error> {
        let name = name.to_owned();
        self.act_on(registrar, ReverseRegistrar::setNameCall { name })
            .await
    }

    /// Makes an asset of the wallet claim a name.
    ///
    /// # Errors
    /// As [`Actor::register_label`].
    pub async fn claim_asset_name(
        &self,
        entry: Address,
        names: &Names,
        name: &str,
    ) -> Result<Receipt, Error> {
        let call = Entry::setNameCall {
            ens: names.registry(),
            name: name.to_owned(),
        };
        self.act_on(entry, call).await
    }
}
