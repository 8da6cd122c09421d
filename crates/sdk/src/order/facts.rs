//! What the chain says of four orders: all questions at once, judged elsewhere.

use chain::Asset;
use futures_util::future::try_join_all;
use protocol::{
    Address, U256,
    order::{Kind, Order, Signed},
};

use crate::{
    Client, Error,
    run::check::{self, Facts, Leg, Members, Orders},
};

/// Orders that the caller is about to sign and that therefore count as signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// The app order.
    pub app: bool,
    /// The dataset order.
    pub dataset: bool,
    /// The workerpool order.
    pub workerpool: bool,
    /// The request order.
    pub request: bool,
}

/// Asks everything that [`check::judge`] wants to know.
///
/// # Errors
/// [`Error::Chain`].
pub async fn gather(client: &Client, orders: &Orders, trusted: Trusted) -> Result<Facts, Error> {
    let request = &orders.request.order;
    let category = u64::try_from(request.category).ok();
    let (members, category, app, dataset, pool, asked, requester_account) = tokio::try_join!(
        members(client, check::undecided(orders)),
        category_is_known(client, category),
        leg(client, &orders.app, trusted.app),
        dataset_leg(client, orders, trusted.dataset),
        leg(client, &orders.workerpool, trusted.workerpool),
        leg(client, &orders.request, trusted.request),
        crate::account::show(client, request.requester),
    )?;
    let pool_owner = pool.signer;
    let pool_account = crate::account::show(client, pool_owner).await?;
    let legs = [Some(app), dataset, Some(pool), Some(asked)];
    Ok(Facts {
        members,
        is_category_known: category,
        legs: legs.into_iter().flatten().collect(),
        pool_owner,
        pool_account,
        requester_account,
    })
}

/// Which of the pairs are a group contract and one of its members.
///
/// # Errors
/// [`Error::Chain`].
pub async fn members(
    client: &Client,
    pairs: impl IntoIterator<Item = (Address, Address)>,
) -> Result<Members, Error> {
    let asked = pairs.into_iter().map(|(group, account)| async move {
        let is_member = client.hub().is_member(group, account).await;
        let is_member = is_member.map_err(Error::chain("ask the group contract"))?;
        Ok::<_, Error>((is_member, group, account))
    });
    let mut members = Members::default();
    for (is_member, group, account) in try_join_all(asked).await? {
        if is_member {
            members.insert(group, account);
        }
    }
    Ok(members)
}

/// Tasks an order is still good for.
///
/// # Errors
/// [`Error::Chain`].
pub async fn remaining<O: Order>(client: &Client, order: &Signed<O>) -> Result<U256, Error> {
    let used = client.hub().consumed(order.hash(client.hub().domain()));
    let used = used.await.map_err(Error::chain("read the order's use"))?;
    Ok(order.order.volume().saturating_sub(used))
}

/// The registry of a kind of order; requesters have none.
pub const fn asset(kind: Kind) -> Option<Asset> {
    match kind {
        Kind::App => Some(Asset::App),
        Kind::Dataset => Some(Asset::Dataset),
        Kind::Workerpool => Some(Asset::Workerpool),
        Kind::Request => None,
    }
}

/// Who must sign orders of `subject`: its owner, none when it is not registered; a requester
/// signs for itself.
///
/// # Errors
/// [`Error::Chain`].
pub async fn signer(
    client: &Client,
    kind: Kind,
    subject: Address,
) -> Result<Option<Address>, Error> {
    let Some(asset) = asset(kind) else {
        return Ok(Some(subject));
    };
    let is_registered = client.hub().is_registered(asset, subject).await;
    if !is_registered.map_err(Error::chain("look the order's subject up"))? {
        return Ok(None);
    }
    let owner = client.hub().owner_of(subject).await;
    owner.map(Some).map_err(Error::chain("read the owner"))
}

async fn dataset_leg(
    client: &Client,
    orders: &Orders,
    is_trusted: bool,
) -> Result<Option<Leg>, Error> {
    match orders.dataset.order.dataset.is_zero() {
        true => Ok(None),
        false => leg(client, &orders.dataset, is_trusted).await.map(Some),
    }
}

async fn leg<O: Order>(client: &Client, order: &Signed<O>, is_trusted: bool) -> Result<Leg, Error> {
    let subject = order.order.subject();
    let signer = async {
        let signer = signer(client, O::KIND, subject).await?;
        let is_signed = match signer {
            Some(signer) if !is_trusted => is_signed(client, order, signer).await?,
            _ => true,
        };
        Ok((signer, is_signed))
    };
    let ((signer, is_signed), remaining) = tokio::try_join!(signer, remaining(client, order))?;
    Ok(Leg {
        kind: O::KIND.name(),
        subject,
        is_registered: signer.is_some(),
        signer: signer.unwrap_or_default(),
        is_signed,
        remaining,
    })
}

/// In itself, or on chain: the official client only knows the former.
async fn is_signed<O: Order>(
    client: &Client,
    order: &Signed<O>,
    signer: Address,
) -> Result<bool, Error> {
    let (hub, hash) = (client.hub(), order.hash(client.hub().domain()).0);
    let checked = async {
        let signed = hub.verify_signature(signer, hash, &order.sign).await?;
        match signed {
            true => Ok(true),
            false => hub.verify_presigned(signer, hash).await,
        }
    };
    checked.await.map_err(Error::chain("verify the signature"))
}

async fn category_is_known(client: &Client, category: Option<u64>) -> Result<bool, Error> {
    let count = client.hub().category_count().await;
    let count = count.map_err(Error::chain("count the categories"))?;
    Ok(category.is_some_and(|category| category < count))
}
