//! What a run needs besides orders and money, as far as this machine can look at it. Everything is
//! asked before anything is signed.

use std::time::Duration;

use chain::AppInfo;
use engine::{Digest, Engine, ImageRef};
use protocol::{B256, multiaddr};
use sdk::{
    Client,
    image::{self, Lookup, Resolved},
    run::{check::Orders, preflight},
};

use crate::{context::Context, outcome::Failure, resolver::EngineResolver};

/// A registry that needs longer is left to the workers.
const LOOKUP_MAX: Duration = Duration::from_secs(10);

/// Checks the deal of these orders, which sell `app`; tells what could not be looked at.
pub(crate) async fn check(
    context: &Context,
    client: &Client,
    app: &AppInfo,
    orders: &Orders,
) -> Result<(), Failure> {
    context.notes(preflight::deal(client, orders).await?);
    if !orders.tag().is_tee() {
        return Ok(());
    }
    context.notes(image(context, app).await?);
    let app = app.address;
    if !sdk::app::has_secret(client, app).await? {
        context.note(format!(
            "App {app} has no secret of its developer: IEXEC_APP_DEVELOPER_SECRET will be unset"
        ));
    }
    Ok(())
}

/// The image that the app's checksum pins must be where its name says.
async fn image(context: &Context, app: &AppInfo) -> Result<Option<String>, sdk::Error> {
    let name = multiaddr::decode(&app.multiaddr);
    let asked = tokio::time::timeout(LOOKUP_MAX, look_up(context, &name, app.checksum)).await;
    let slow = || Lookup::Unknown("the registry is slow".to_owned());
    let (by_name, by_digest) = asked.unwrap_or_else(|_| (slow(), slow()));
    image::confirm(app.address, &name, app.checksum, &by_name, &by_digest)
}

async fn look_up(context: &Context, name: &str, checksum: B256) -> (Lookup, Lookup) {
    let unknown = |reason: String| (Lookup::Unknown(reason.clone()), Lookup::Unknown(reason));
    let reference = match ImageRef::parse(name) {
        Ok(reference) => reference,
        // no worker can read it either
        Err(_) => return (Lookup::NotFound, Lookup::NotFound),
    };
    let engine = match EngineResolver::new(context) {
        Ok(resolver) => resolver.engine().await,
        Err(failure) => Err(failure),
    };
    let engine = match engine {
        Ok(engine) => engine,
        Err(failure) => return unknown(failure.to_string()),
    };
    let by_name = resolve(engine.as_ref(), &reference).await;
    let is_meant = match &by_name {
        Lookup::Found(found) => [found.digest, found.image_id].contains(&Some(checksum)),
        _ => false,
    };
    let by_digest = match is_meant {
        true => by_name.clone(),
        false => resolve(engine.as_ref(), &reference.at(Digest(checksum.0))).await,
    };
    (by_name, by_digest)
}

async fn resolve(engine: &dyn Engine, reference: &ImageRef) -> Lookup {
    match engine.resolve(reference).await {
        Ok(found) => Lookup::Found(Resolved {
            multiaddr: reference.to_string(),
            digest: found.digest.map(|digest| B256::from(digest.0)),
            image_id: found.image_id.map(|digest| B256::from(digest.0)),
        }),
        Err(engine::Error::NotFound { .. }) => Lookup::NotFound,
        Err(error) => Lookup::Unknown(error.to_string()),
    }
}
