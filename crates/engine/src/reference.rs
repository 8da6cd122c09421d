//! Image references: which registry, which repository, which tag or digest.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::{Digest, Error};

/// Longer references are refused before anything is done with them.
const REFERENCE_CHARS_MAX: usize = 512;
/// The limit every registry applies (OCI distribution spec, "Pulling manifests").
const TAG_CHARS_MAX: usize = 128;

pub(crate) const DOCKER_HUB: &str = "docker.io";
/// Hosts that mean Docker Hub; applications on chain use all three.
const DOCKER_HUB_ALIASES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry.hub.docker.com"];

/// The name of an image, taken apart and normalised, e.g. `docker.io/library/alpine:latest`.
///
/// The first component is a registry when it contains `.` or `:` or is `localhost`, else the
/// registry is Docker Hub (spec/pool-worker.md §2.7), where an image without a user belongs to
/// `library`. Without tag and digest, the tag is `latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageRef {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl ImageRef {
    /// Reads a reference as applications on chain write it.
    ///
    /// # Errors
    /// [`Error::BadReference`] with the rule that is broken.
    ///
    /// ```
    /// let image = engine::ImageRef::parse("registry.hub.docker.com/user/app:1.0.0")?;
    /// assert_eq!(image.to_string(), "docker.io/user/app:1.0.0");
    /// # Ok::<(), engine::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |reason| Error::BadReference {
            reference: text.to_owned(),
            reason,
        };
        if text.len() > REFERENCE_CHARS_MAX {
            return Err(bad("too long"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let (registry, path) = split_registry(rest);
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (path, None),
        };
        let repository = match (registry.as_str(), path.contains('/')) {
            (DOCKER_HUB, false) => format!("library/{path}"),
            _ => path.to_owned(),
        };
        if !path.split('/').all(is_component) {
            return Err(bad(
                "the repository must be lower-case words between slashes",
            ));
        }
        if !tag.as_deref().is_none_or(is_tag) {
            return Err(bad("the tag must be letters, digits, `_`, `.` and `-`"));
        }
        if !is_host(&registry) {
            return Err(bad("the registry must be a host with an optional port"));
        }
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self {
            registry,
            repository,
            tag,
            digest,
        })
    }

    /// The registry's host and optional port; `docker.io` for all aliases of Docker Hub.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path inside the registry, e.g. `library/alpine`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; None only for a reference by digest.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where the reference itself names one.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Registry and repository without tag and digest.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same repository at a digest: what is really pulled.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            tag: None,
            ..self.clone()
        }
    }

    /// Whether the registry is on this machine, and therefore spoken to in plain HTTP.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = match self.registry.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.registry,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether both name the same repository.
    pub(crate) fn same_repository(&self, other: &Self) -> bool {
        self.registry == other.registry && self.repository == other.repository
    }
}

/// A registry's host as references name it; None when it is none.
pub(crate) fn normal_host(text: &str) -> Option<String> {
    let host = match DOCKER_HUB_ALIASES.contains(&text) {
        true => DOCKER_HUB,
        false => text,
    };
    is_host(host).then(|| host.to_owned())
}

fn split_registry(text: &str) -> (String, &str) {
    match text.split_once('/') {
        Some((host, _)) if DOCKER_HUB_ALIASES.contains(&host) => {
            (DOCKER_HUB.to_owned(), &text[host.len() + 1..])
        }
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            (host.to_owned(), path)
        }
        _ => (DOCKER_HUB.to_owned(), text),
    }
}

fn is_component(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.bytes()
        .all(|b| inner(b) || matches!(b, b'.' | b'_' | b'-'))
        && text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=TAG_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
        && text.bytes().next().is_some_and(word)
}

fn is_host(text: &str) -> bool {
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    !text.is_empty() && text.bytes().all(allowed)
}

impl FromStr for ImageRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_normalised() {
        for (text, normal) in [
            (
                "registry.hub.docker.com/user/my-app:1.0.0",
                "docker.io/user/my-app:1.0.0",
            ),
            ("index.docker.io/user/app:x", "docker.io/user/app:x"),
            ("user/app:1.0", "docker.io/user/app:1.0"),
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            (
                "docker.io/library/alpine",
                "docker.io/library/alpine:latest",
            ),
            ("docker.io/alpine", "docker.io/library/alpine:latest"),
            ("127.0.0.1:5000/x/y:tag", "127.0.0.1:5000/x/y:tag"),
            ("localhost/x:1", "localhost/x:1"),
            ("ghcr.io/a/b/c/d:v1", "ghcr.io/a/b/c/d:v1"),
            ("[::1]:5000/x:1", "[::1]:5000/x:1"),
        ] {
            assert_eq!(ImageRef::parse(text).unwrap().to_string(), normal, "{text}");
        }
    }

    #[test]
    fn a_digest_replaces_the_default_tag() {
        let digest = Digest::of(b"");
        let image = ImageRef::parse(&format!("user/app@{digest}")).unwrap();
        assert_eq!((image.tag(), image.digest()), (None, Some(digest)));
        let tagged = ImageRef::parse("user/app:1").unwrap();
        assert_eq!(tagged.at(digest), image);
    }

    #[test]
    fn nonsense_is_refused() {
        let long = format!("user/{}", "a".repeat(REFERENCE_CHARS_MAX));
        for text in [
            "",
            "/",
            "user/",
            "User/app:1",
            "user//app",
            "user/../app",
            "user/app:",
            "user/app:a b",
            "user/app@sha256:00",
            "-x/app",
            "user/app\n:1",
            "evil?x.io/a:1",
            &long,
        ] {
            assert!(ImageRef::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, expected) in [
            ("127.0.0.1:5000/x:1", true),
            ("127.9.9.9/x:1", true),
            ("localhost:5000/x:1", true),
            ("[::1]:5000/x:1", true),
            ("localhost.example.org/x:1", false),
            ("10.0.0.1:5000/x:1", false),
            ("user/app:1", false),
        ] {
            assert_eq!(
                ImageRef::parse(text).unwrap().is_loopback(),
                expected,
                "{text}"
            );
        }
    }
}
