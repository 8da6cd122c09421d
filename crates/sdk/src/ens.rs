//! Names of the Ethereum Name Service, on chains that have one (spec/client.md Appendix B).

use chain::{Actor, Asset, Names};
use protocol::{Address, B256};

use crate::{Client, Error, keccak, parse};

/// The text record with the URL of a workerpool's API.
pub const POOL_URL_KEY: &str = "iexec:workerpool-api:url";
/// The domain whose owner gives an address the right to claim a name.
const REVERSE_DOMAIN: &str = "addr.reverse";
/// Bytes of one label and of a whole name, as in the DNS.
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 255;

/// Checks a name: labels of lower-case letters, digits, `-`, `_` and what is beyond ASCII, with
/// points between them.
///
/// # Errors
/// [`Error::Invalid`] with the broken rule.
pub fn check_name(name: &str) -> Result<(), Error> {
    let wrong = |reason: &str| Err(Error::invalid("ENS name", format!("`{name}` {reason}")));
    if name.len() > NAME_BYTES_MAX {
        return wrong("is too long");
    }
    name.split('.').try_for_each(|label| match label {
        "" => wrong("has an empty label"),
        label if label.len() > LABEL_BYTES_MAX => wrong("has a label that is too long"),
        label if label != label.to_lowercase() => wrong("has upper-case characters"),
        label if !label.chars().all(is_allowed) => wrong("has characters that names cannot have"),
        _ => Ok(()),
    })
}

fn is_allowed(character: char) -> bool {
    match character.is_ascii() {
        true => character.is_ascii_alphanumeric() || character == '-' || character == '_',
        false => character.is_alphanumeric(),
    }
}

/// The node of a name (ERC-137).
pub fn node(name: &str) -> B256 {
    let labels = name.rsplit('.').filter(|label| !label.is_empty());
    labels.fold(B256::ZERO, |parent, label| {
        keccak([parent, keccak(label)].concat())
    })
}

/// The node by which an address says its name (ERC-181).
pub fn reverse_node(address: Address) -> B256 {
    node(&format!("{}.{REVERSE_DOMAIN}", hex::encode(address)))
}

/// The domain in which an asset, or a user, gets a name.
fn domain_of(asset: Option<Asset>) -> &'static str {
    match asset {
        Some(Asset::App) => "apps.iexec.eth",
        Some(Asset::Dataset) => "datasets.iexec.eth",
        Some(Asset::Workerpool) => "pools.iexec.eth",
        None => "users.iexec.eth",
    }
}

/// The name registry of the client's chain.
///
/// # Errors
/// [`Error::Configuration`] where there is none.
pub fn names(client: &Client) -> Result<Names, Error> {
    let registry = client.chain().ens_registry.ok_or_else(|| missing(client))?;
    Ok(Names::new(client.hub().clone(), registry))
}

fn missing(client: &Client) -> Error {
    let name = &client.chain().name;
    Error::Configuration {
        reason: format!("chain \"{name}\" has no ENS"),
        hint: Some(format!(
            "give addresses, or add \"ensRegistry\" and \"ensPublicResolver\" to chains.{name} in \
            chain.json"
        )),
    }
}

/// The address of a name, if it has one.
///
/// # Errors
/// [`Error::Configuration`] without ENS, [`Error::Invalid`] for a bad name, [`Error::Chain`].
pub async fn resolve(client: &Client, name: &str) -> Result<Option<Address>, Error> {
    let names = names(client)?;
    check_name(name)?;
    let address = names.address(node(name)).await;
    address.map_err(Error::chain("resolve the name"))
}

/// The name that an address says it has, if the name says the same.
///
/// # Errors
/// As [`resolve`].
pub async fn lookup(client: &Client, address: Address) -> Result<Option<String>, Error> {
    let names = names(client)?;
    let name = names.name(reverse_node(address)).await;
    let Some(name) = name.map_err(Error::chain("look the name up"))? else {
        return Ok(None);
    };
    let is_mutual = check_name(&name).is_ok() && resolve(client, &name).await? == Some(address);
    Ok(Some(name).filter(|_| is_mutual))
}

/// Who owns a name; zero when nobody does.
///
/// # Errors
/// As [`resolve`].
pub async fn owner(client: &Client, name: &str) -> Result<Address, Error> {
    let names = names(client)?;
    check_name(name)?;
    let owner = names.owner(node(name)).await;
    owner.map_err(Error::chain("read the owner of the name"))
}

/// Whether a text can be an address: itself, or a name that ends with `.eth`. For finding
/// mistakes before anybody is asked; [`address`] tells which address it is.
///
/// # Errors
/// [`Error::Invalid`] naming `field`, or the name's broken rule.
pub fn check_address(field: &str, text: &str) -> Result<(), Error> {
    match text.ends_with(".eth") {
        true => check_name(text),
        false => parse::address(field, text).map(drop),
    }
}

/// Reads an address as people type it: itself, or a name that ends with `.eth`.
///
/// # Errors
/// [`Error::Invalid`] naming `field`; as [`resolve`].
pub async fn address(client: &Client, field: &str, text: &str) -> Result<Address, Error> {
    if !text.ends_with(".eth") {
        return parse::address(field, text);
    }
    let address = resolve(client, text).await?;
    address.ok_or_else(|| Error::invalid(field, format!("the name `{text}` has no address")))
}

/// What a registration did; what was so already needed no transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// The full name.
    pub name: String,
    /// Took the name.
    pub register: Option<B256>,
    /// Named the resolver.
    pub set_resolver: Option<B256>,
    /// Made the name stand for the address.
    pub set_address: Option<B256>,
    /// Made the address claim the name.
    pub set_name: Option<B256>,
}

/// Registers `label` for `target` (the wallet, or an asset of its), in `domain` or the usual one,
/// and sets resolution up in both directions.
///
/// # Errors
/// As [`resolve`]; [`Error::NotOwner`] when the name or the asset is somebody else's.
pub async fn register(
    client: &Client,
    actor: &Actor,
    label: &str,
    domain: Option<&str>,
    target: Address,
) -> Result<Registration, Error> {
    let names = names(client)?;
    let resolver = client.chain().ens_public_resolver;
    let resolver = resolver.ok_or_else(|| missing(client))?;
    let asset = asset_of(client, actor, target).await?;
    let domain = domain.unwrap_or_else(|| domain_of(asset));
    let name = format!("{label}.{domain}");
    check_name(&name)?;
    if label.contains('.') {
        return Err(Error::invalid("label", "a label has no point"));
    }
    let mut done = Registration {
        register: take(client, actor, label, domain, &name).await?,
        name,
        ..Registration::default()
    };
    let node = node(&done.name);
    let failed = Error::chain("set the name up");
    let steps = async {
        if names.resolver(node).await? != Some(resolver) {
            done.set_resolver = Some(actor.set_resolver(&names, node, resolver).await?.tx);
        }
        if names.address(node).await? != Some(target) {
            done.set_address = Some(actor.set_address(resolver, node, target).await?.tx);
        }
        if names.name(reverse_node(target)).await?.as_ref() != Some(&done.name) {
            let receipt = match asset {
                Some(_) => actor.claim_asset_name(target, &names, &done.name).await?,
                None => {
                    let registrar = names.owner(self::node(REVERSE_DOMAIN)).await?;
                    actor.claim_name(registrar, &done.name).await?
                }
            };
            done.set_name = Some(receipt.tx);
        }
        Ok::<_, chain::Error>(done)
    };
    steps.await.map_err(failed)
}

/// Which kind of asset of the wallet `target` is; none when it is the wallet itself.
async fn asset_of(client: &Client, actor: &Actor, target: Address) -> Result<Option<Asset>, Error> {
    if target == actor.address() {
        return Ok(None);
    }
    let hub = client.hub();
    for asset in [Asset::App, Asset::Dataset, Asset::Workerpool] {
        let is_registered = hub.is_registered(asset, target).await;
        if is_registered.map_err(Error::chain("look for the asset"))? {
            let owner = hub.owner_of(target).await;
            let owner = owner.map_err(Error::chain("read the asset's owner"))?;
            own(asset.name(), target, owner, actor, "name it")?;
            return Ok(Some(asset));
        }
    }
    let reason = format!("{target} is neither the wallet nor an app, dataset or workerpool");
    Err(Error::invalid("--for", reason))
}

/// Takes a name that is free; nothing to do for one that is the wallet's.
async fn take(
    client: &Client,
    actor: &Actor,
    label: &str,
    domain: &str,
    name: &str,
) -> Result<Option<B256>, Error> {
    let present = owner(client, name).await?;
    if !present.is_zero() {
        own("name", present, present, actor, "set it up")?;
        return Ok(None);
    }
    let registrar = owner(client, domain).await?;
    let is_contract = client.hub().is_contract(registrar).await;
    if !is_contract.map_err(Error::chain("look at the registrar"))? {
        let reason = format!("`{domain}` has no registrar: {registrar} is not a contract");
        return Err(Error::invalid("--domain", reason));
    }
    let taken = actor.register_label(registrar, keccak(label)).await;
    Ok(Some(taken.map_err(Error::chain("register the name"))?.tx))
}

fn own(
    kind: &'static str,
    address: Address,
    owner: Address,
    actor: &Actor,
    action: &'static str,
) -> Result<(), Error> {
    match owner == actor.address() {
        true => Ok(()),
        false => Err(Error::NotOwner {
            kind,
            address,
            owner,
            action,
        }),
    }
}

/// Keeps the URL of a workerpool's API with the workerpool's name.
///
/// # Errors
/// As [`resolve`]; [`Error::Configuration`] when the workerpool has no name.
pub async fn set_pool_url(
    client: &Client,
    actor: &Actor,
    pool: Address,
    url: &str,
) -> Result<B256, Error> {
    if !["http://", "https://"].iter().any(|s| url.starts_with(s)) || url::Url::parse(url).is_err()
    {
        return Err(Error::invalid(
            "apiUrl",
            format!("`{url}` is not an http URL"),
        ));
    }
    let name = lookup(client, pool)
        .await?
        .ok_or_else(|| Error::Configuration {
            reason: format!("workerpool {pool} has no ENS name"),
            hint: Some(format!(
                "run `iexec ens register <label> --for {pool}` first"
            )),
        })?;
    let owner = owner(client, &name).await?;
    own("workerpool", pool, owner, actor, "set its URL")?;
    let resolver = names(client)?.resolver(node(&name)).await;
    let resolver = resolver.map_err(Error::chain("find the resolver"))?;
    let resolver = resolver.ok_or_else(|| missing(client))?;
    let sent = actor
        .set_text(resolver, node(&name), POOL_URL_KEY, url)
        .await;
    Ok(sent.map_err(Error::chain("set the URL"))?.tx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_those_of_the_standard() {
        assert_eq!(node(""), B256::ZERO);
        assert_eq!(
            node("eth").to_string(),
            "0x93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae"
        );
        assert_eq!(
            node("foo.eth").to_string(),
            "0xde9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f"
        );
        assert_eq!(
            node(REVERSE_DOMAIN).to_string(),
            "0x91d1777781884d03a6757a803996e38de2a42967fb37eeaca72729271025a9e2"
        );
    }

    #[test]
    fn an_address_has_a_node_below_the_reverse_domain() {
        let address = Address::repeat_byte(0xab);
        let name = format!("{}.{REVERSE_DOMAIN}", "ab".repeat(20));
        assert_eq!(reverse_node(address), node(&name));
    }

    #[test]
    fn an_address_may_be_a_name() {
        assert!(check_address("--to", "shop.eth").is_ok());
        assert!(check_address("--to", &Address::ZERO.to_string()).is_ok());
        for bad in ["Shop.eth", "shop.com", "0x12"] {
            assert!(check_address("--to", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_follow_their_rules() {
        for good in ["a.eth", "my-app.apps.iexec.eth", "é.eth", "x_1"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(LABEL_BYTES_MAX + 1);
        for bad in [
            "",
            "a..eth",
            ".eth",
            "A.eth",
            "a b.eth",
            "a/b.eth",
            "a\u{200d}.eth",
            &long,
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
