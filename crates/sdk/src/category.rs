//! Categories: how long tasks may take (spec/client.md §1.4).

use chain::{Actor, Receipt};
use protocol::deal::Category;

use crate::{Client, Error};

/// The category.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Chain`].
pub async fn show(client: &Client, index: u64) -> Result<Category, Error> {
    let category = client.hub().category(index).await;
    let category = category.map_err(Error::chain("read the category"))?;
    category.ok_or_else(|| client.not_found("category", index))
}

/// How many there are.
///
/// # Errors
/// [`Error::Chain`].
pub async fn count(client: &Client) -> Result<u64, Error> {
    let count = client.hub().category_count().await;
    count.map_err(Error::chain("count the categories"))
}

/// Adds one; its number comes back.
///
/// # Errors
/// [`Error::NotHubOwner`] before anything is sent, [`Error::Chain`].
pub async fn create(actor: &Actor, category: &Category) -> Result<(u64, Receipt), Error> {
    let owner = actor.hub().owner().await;
    let owner = owner.map_err(Error::chain("read the hub's owner"))?;
    if owner != actor.address() {
        return Err(Error::NotHubOwner { owner });
    }
    let created = actor.create_category(category).await;
    created.map_err(Error::chain("create the category"))
}
