//! The network of a container of the daemon.
//!
//! Containers that may reach the world share one bridge of ours, on which they do not see each
//! other: the daemon's default bridge is shared with everybody's containers. One with an
//! allowlist has a bridge of its own, because the rules go by the bridge's name.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Once;

use bollard::models::NetworkCreateRequest;

use super::{Docker, status};
use crate::security::{LABEL, LABEL_VALUE};
use crate::{Digest, Error, Network, RunSpec, network};

/// The network whose bridge is [`network::BRIDGE`].
const SHARED: &str = "iexec";
/// The daemon's own, where it cannot make ours (Podman knows other options).
const DEFAULT: &str = "bridge";
/// Interfaces have 15 characters at most.
const DIGITS: usize = 10;

/// Where a container is attached.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) network: String,
    only: Option<Vec<(String, Ipv4Addr)>>,
}

impl Lane {
    /// Without network.
    pub(super) fn none() -> Self {
        Self {
            network: "none".to_owned(),
            only: None,
        }
    }

    /// Makes the network that the run asks for, with its rules.
    pub(super) async fn open(docker: &Docker, spec: &RunSpec) -> Result<Self, Error> {
        let (api, is_podman) = (&docker.api, docker.daemon.is_podman);
        match spec.network {
            Network::None => Ok(Self::none()),
            Network::Outbound => Ok(Self {
                network: shared(api, is_podman).await.to_owned(),
                only: None,
            }),
            Network::Allowlist(_) if is_podman => Err(Error::CannotStart {
                name: spec.name.clone(),
                reason: "an allowlist needs Docker or the built-in engine".to_owned(),
            }),
            Network::Allowlist(_) => listed(api, spec).await,
        }
    }

    /// Names for the container's own list of hosts.
    pub(super) fn hosts(&self) -> Option<Vec<String>> {
        let only = self.only.as_ref()?;
        let lines = only
            .iter()
            .map(|(name, address)| format!("{name}:{address}"));
        Some(lines.collect())
    }

    /// With an allowlist there is nobody to ask: the daemon would pass questions on to the world.
    pub(super) fn resolvers(&self) -> Option<Vec<String>> {
        self.only.as_ref().map(|_| vec!["127.0.0.1".to_owned()])
    }
}

async fn shared(api: &bollard::Docker, is_podman: bool) -> &'static str {
    static WARNED: Once = Once::new();
    let warn = |reason: &dyn std::fmt::Display| {
        WARNED.call_once(|| {
            tracing::warn!(%reason, "containers can reach private addresses");
        });
    };
    let (bridge, protect): (_, fn() -> std::io::Result<()>) = match is_podman {
        true => (network::PODMAN_BRIDGE, network::protect_podman),
        false => (network::BRIDGE, network::protect),
    };
    if let Err(error) = make(api, SHARED, bridge).await {
        warn(&error);
        return DEFAULT;
    }
    match blocking(protect).await {
        Ok(()) => {}
        Err(reason) => warn(&reason),
    }
    SHARED
}

async fn listed(api: &bollard::Docker, spec: &RunSpec) -> Result<Lane, Error> {
    let only = network::resolve(spec).await?.unwrap_or_default();
    let (bridge, addresses) = (bridge(&spec.name), only.iter().map(|(_, address)| *address));
    let addresses: Vec<_> = addresses.collect();
    let rules = bridge.clone();
    blocking(move || network::protect().and_then(|()| network::allow(&rules, &addresses)))
        .await
        .map_err(|error| Error::CannotStart {
            name: spec.name.clone(),
            reason: format!("an allowlist needs iptables: {error}"),
        })?;
    make(api, &own(&spec.name), &bridge)
        .await
        .map_err(Error::docker("create a network"))?;
    Ok(Lane {
        network: own(&spec.name),
        only: Some(only),
    })
}

/// The name of the network that only this container has.
fn own(container: &str) -> String {
    format!("iexec-only-{container}")
}

fn bridge(container: &str) -> String {
    let digest = Digest::of(container.as_bytes()).hex();
    format!("{}{}", network::LISTED, &digest[..DIGITS])
}

async fn make(
    api: &bollard::Docker,
    name: &str,
    bridge: &str,
) -> Result<(), bollard::errors::Error> {
    if api.inspect_network(name, None).await.is_ok() {
        return Ok(());
    }
    let options = [
        ("com.docker.network.bridge.name", bridge),
        ("com.docker.network.bridge.enable_icc", "false"),
    ];
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        options: Some(options.map(owned).into()),
        labels: Some(HashMap::from([owned((LABEL, LABEL_VALUE))])),
        ..NetworkCreateRequest::default()
    };
    match api.create_network(request).await {
        Ok(_) => Ok(()),
        // Another run has made it at this very moment.
        Err(error) => match api.inspect_network(name, None).await {
            Ok(_) => Ok(()),
            Err(_) => Err(error),
        },
    }
}

/// Removes the network that only this container had, and its rules; fine when there is none.
pub(super) async fn close(api: &bollard::Docker, container: &str) -> Result<(), Error> {
    match api.remove_network(&own(container)).await {
        Ok(()) => {
            let bridge = bridge(container);
            let undone = tokio::task::spawn_blocking(move || network::disallow(&bridge));
            let _ = undone.await;
            Ok(())
        }
        Err(error) if matches!(status(&error), Some(403 | 404 | 409)) => Ok(()),
        Err(error) => Err(Error::docker("remove a network")(error)),
    }
}

async fn blocking(
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> std::io::Result<()> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(std::io::Error::other(panic)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_has_a_name_the_kernel_takes() {
        let name = bridge(&"x".repeat(128));
        assert!(
            name.len() <= 15 && name.starts_with(network::LISTED),
            "{name}"
        );
    }

    #[test]
    fn a_listed_container_knows_its_hosts_and_asks_nobody() {
        let lane = Lane {
            network: "x".to_owned(),
            only: Some(vec![("a.test".to_owned(), Ipv4Addr::new(203, 0, 113, 1))]),
        };
        assert_eq!(lane.hosts().unwrap(), ["a.test:203.0.113.1"]);
        assert_eq!(lane.resolvers().unwrap(), ["127.0.0.1"]);
        assert!(Lane::none().hosts().is_none() && Lane::none().resolvers().is_none());
    }
}
