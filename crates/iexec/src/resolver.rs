//! Looking images up with the engine of this machine: the library knows the question only.

use std::sync::Arc;

use engine::{Choice, Config, Engine, ImageRef};
use protocol::B256;
use sdk::image::{ImageResolver, Resolved};

use crate::{context::Context, env_vars, outcome::Failure, paths};

/// The engine that the local network runs, else the best one here.
#[derive(Debug)]
pub(crate) struct EngineResolver(Config);

impl EngineResolver {
    /// Finds out which engine to ask; nothing is started.
    pub(crate) fn new(context: &Context) -> Result<Self, Failure> {
        let network = context.network()?;
        let choice = match network.as_ref().map(|network| network.engine.as_str()) {
            Some("docker") => Choice::Docker,
            Some("builtin") => Choice::Builtin,
            _ => Choice::Auto,
        };
        let mut config = Config::new(choice, paths::data_dir(None).join("engine"));
        config.docker_host = env_vars::get(env_vars::DOCKER_HOST);
        Ok(Self(config))
    }

    /// The engine itself, for running.
    pub(crate) async fn engine(&self) -> Result<Arc<dyn Engine>, Failure> {
        let engine = engine::detect(&self.0).await;
        engine.map_err(|error| Failure::new(error.to_string()).named("EngineError"))
    }
}

impl ImageResolver for EngineResolver {
    async fn resolve(&self, image: &str) -> Result<Resolved, String> {
        let reference = ImageRef::parse(image).map_err(|error| error.to_string())?;
        let engine = engine::detect(&self.0)
            .await
            .map_err(|error| error.to_string())?;
        let found = engine
            .resolve(&reference)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Resolved {
            multiaddr: reference.to_string(),
            digest: found.digest.map(|digest| B256::from(digest.0)),
            image_id: found.image_id.map(|digest| B256::from(digest.0)),
        })
    }
}
