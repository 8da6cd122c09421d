//! Who we are at registries that do not serve everybody.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bollard::auth::DockerCredentials;
use oci_client::secrets::RegistryAuth;

use crate::reference::{DOCKER_HUB, normal_host};
use crate::{Error, ImageRef};

/// What a daemon calls Docker Hub where names and passwords are concerned.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";
/// What stands in a message where a password was.
const HIDDEN: &str = "***";

/// User names and passwords by registry.
///
/// `Debug` tells the registries alone, and no error of an engine that has them contains a
/// password, even when a registry sends it back.
#[derive(Clone, Default)]
pub struct Credentials(Arc<BTreeMap<String, Login>>);

#[derive(Clone)]
struct Login {
    username: String,
    password: String,
}

impl Credentials {
    /// Adds those of a registry: a host with an optional port, e.g. `docker.io`.
    ///
    /// # Errors
    /// [`Error::BadReference`] when it is no host, or when it has credentials already.
    pub fn add(&mut self, registry: &str, username: &str, password: &str) -> Result<(), Error> {
        let bad = |reason| Error::BadReference {
            reference: registry.to_owned(),
            reason,
        };
        let host = normal_host(registry)
            .ok_or_else(|| bad("the registry must be a host with an optional port"))?;
        let login = Login {
            username: username.to_owned(),
            password: password.to_owned(),
        };
        match Arc::make_mut(&mut self.0).insert(host, login) {
            Some(_) => Err(bad("the registry has credentials already")),
            None => Ok(()),
        }
    }

    fn login(&self, image: &ImageRef) -> Option<&Login> {
        self.0.get(image.registry())
    }

    /// For our own requests.
    pub(crate) fn auth(&self, image: &ImageRef) -> RegistryAuth {
        let login = self.login(image);
        login.map_or(RegistryAuth::Anonymous, |login| {
            RegistryAuth::Basic(login.username.clone(), login.password.clone())
        })
    }

    /// For those of a daemon.
    pub(crate) fn docker(&self, image: &ImageRef) -> Option<DockerCredentials> {
        let login = self.login(image)?;
        let server = match image.registry() {
            DOCKER_HUB => DOCKER_HUB_SERVER,
            other => other,
        };
        Some(DockerCredentials {
            username: Some(login.username.clone()),
            password: Some(login.password.clone()),
            serveraddress: Some(server.to_owned()),
            ..DockerCredentials::default()
        })
    }

    /// The same error without passwords: a registry may repeat what it was sent.
    pub(crate) fn hide(&self, mut error: Error) -> Error {
        if let Error::Unauthorized { reason, .. }
        | Error::RegistryUnreachable { reason, .. }
        | Error::PullFailed { reason, .. } = &mut error
        {
            for login in self.0.values().filter(|login| !login.password.is_empty()) {
                *reason = reason.replace(&login.password, HIDDEN);
            }
        }
        error
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        let mut credentials = Credentials::default();
        credentials
            .add("index.docker.io", "me", "pass-word")
            .unwrap();
        credentials
    }

    #[test]
    fn a_registry_has_one_login_under_all_its_names() {
        let mut credentials = credentials();
        assert!(credentials.add("docker.io", "me", "x").is_err());
        assert!(credentials.add("https://ghcr.io/", "me", "x").is_err());
        credentials.add("localhost:5000", "me", "x").unwrap();
        let auth = |name: &str| credentials.auth(&ImageRef::parse(name).unwrap());
        assert!(matches!(auth("user/app:1"), RegistryAuth::Basic(..)));
        assert!(matches!(
            auth("localhost:5000/app:1"),
            RegistryAuth::Basic(..)
        ));
        assert!(matches!(auth("ghcr.io/a/b:1"), RegistryAuth::Anonymous));
        let hub = ImageRef::parse("user/app:1").unwrap();
        let server = credentials.docker(&hub).unwrap().serveraddress;
        assert_eq!(server.as_deref(), Some(DOCKER_HUB_SERVER));
    }

    #[test]
    fn a_password_is_told_to_nobody() {
        let credentials = credentials();
        assert_eq!(format!("{credentials:?}"), r#"{"docker.io"}"#);
        let error = Error::Unauthorized {
            image: "user/app:1".to_owned(),
            reason: "`pass-word` is wrong".to_owned(),
        };
        let told = credentials.hide(error);
        assert!(told.to_string().ends_with("`***` is wrong"), "{told}");
    }
}
