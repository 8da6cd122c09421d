//! Which machines an image is made for, and which one this is.

use std::fmt;

use serde::Deserialize;

use crate::Error;

/// An operating system and a processor, in the words of image configs and indexes.
///
/// The variant is left out: a processor that needs one names its oldest first, and an index
/// lists that one first too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) architecture: String,
}

impl Platform {
    /// What this program's own containers run on.
    pub(crate) fn host() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: architecture().to_owned(),
        }
    }

    /// Refuses an image made for anything but `host`: started anyway, it would fail with an
    /// "exec format error" that nobody understands, or be emulated at a tenth of the speed.
    pub(crate) fn check(&self, host: &Self, image: &str) -> Result<(), Error> {
        match self == host {
            true => Ok(()),
            false => Err(mismatch(image, self, host)),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_unknown = |word: &str| match word {
            "" => "unknown".to_owned(),
            word => word.to_owned(),
        };
        write!(
            f,
            "{}/{}",
            or_unknown(&self.os),
            or_unknown(&self.architecture)
        )
    }
}

pub(crate) fn mismatch(image: &str, found: impl ToString, host: &Platform) -> Error {
    Error::PlatformMismatch {
        image: image.to_owned(),
        found: found.to_string(),
        expected: host.to_string(),
    }
}

/// The architecture of this machine in the words of image configs.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_mismatch_are_named() {
        let theirs: Platform = serde_json::from_str(r#"{"os":"plan9"}"#).unwrap();
        let error = theirs.check(&Platform::host(), "user/app:1").unwrap_err();
        let expected = format!(
            "image `user/app:1` is made for plan9/unknown, but this machine runs linux/{}",
            architecture()
        );
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_transient());
        Platform::host().check(&Platform::host(), "").unwrap();
    }
}
