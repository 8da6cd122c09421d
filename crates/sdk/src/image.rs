//! The image of an app: its checksum, looked up when `iexec.json` leaves it out and checked when
//! it does not (design.md §1.8).

use std::future::Future;

use protocol::{Address, B256};

use crate::{Code, Error, Misuse};

/// What an image's name means today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name with registry, repository and tag, e.g. `docker.io/user/app:1.0.0`.
    pub multiaddr: String,
    /// Digest of the manifest in the registry; none when it was never pushed.
    pub digest: Option<B256>,
    /// Id of the image on this machine, when it is here.
    pub image_id: Option<B256>,
}

/// Who can look up images: an engine or a registry. The library knows neither.
pub trait ImageResolver: Send + Sync {
    /// What `image` means today.
    ///
    /// # Errors
    /// The reason in words.
    fn resolve(&self, image: &str) -> impl Future<Output = Result<Resolved, String>> + Send;
}

/// Which image goes on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The image's name.
    pub multiaddr: String,
    /// Its checksum.
    pub checksum: B256,
    /// Where the checksum is from.
    pub origin: Origin,
}

/// Where a checksum is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `iexec.json`, and the image agrees.
    Confirmed,
    /// `iexec.json`; the image could not be looked up.
    Unconfirmed,
    /// The registry's digest.
    Registry,
    /// The id of an image that only this machine has.
    LocalImage,
}

/// Decides the checksum. An image that was never pushed is only good on a local network.
///
/// # Errors
/// [`Error::ChecksumDiffers`] when the tag means something else than `given`;
/// [`Error::Image`] when it cannot be looked up and nothing is given.
pub fn pin(
    image: &str,
    given: Option<B256>,
    found: Result<Resolved, String>,
    is_local_network: bool,
) -> Result<Pinned, Error> {
    let fail = |reason: String| Error::Image {
        image: image.to_owned(),
        reason,
    };
    let found = match (found, given) {
        (Ok(found), _) => found,
        // a private or offline image is the owner's affair, as long as it is pinned
        (Err(_), Some(checksum)) => {
            let multiaddr = image.to_owned();
            return Ok(Pinned {
                multiaddr,
                checksum,
                origin: Origin::Unconfirmed,
            });
        }
        (Err(reason), None) => return Err(fail(reason)),
    };
    let local_id = found.image_id.filter(|_| is_local_network);
    let multiaddr = found.multiaddr.clone();
    if let Some(checksum) = given {
        if found.digest == Some(checksum) || local_id == Some(checksum) {
            return Ok(Pinned {
                multiaddr,
                checksum,
                origin: Origin::Confirmed,
            });
        }
        let found = found.digest.or(local_id).map(|digest| digest.to_string());
        return Err(Error::ChecksumDiffers {
            image: image.to_owned(),
            given: checksum.to_string(),
            found: found.unwrap_or_else(|| "none: it was never pushed".to_owned()),
        });
    }
    match (found.digest, local_id) {
        (Some(checksum), _) => Ok(Pinned {
            multiaddr,
            checksum,
            origin: Origin::Registry,
        }),
        (None, Some(checksum)) => Ok(Pinned {
            multiaddr,
            checksum,
            origin: Origin::LocalImage,
        }),
        (None, None) => Err(fail(
            "it was never pushed: run `docker push` first".to_owned(),
        )),
    }
}

/// What became of looking an image up before a confidential run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It is there.
    Found(Resolved),
    /// The registry answers that it has no such image.
    NotFound,
    /// It could not be asked, or does not tell us: only workers may have its password.
    Unknown(String),
}

/// Judges whether the image that `checksum` pins can be there at all. `by_name` is what
/// `multiaddr` means today, `by_digest` what its repository has under the checksum: an older image
/// whose tag has moved on is as good. What could not be found out comes back, for people.
///
/// # Errors
/// [`Error::Misuse`] when the registry answers, and has no such image.
pub fn confirm(
    app: Address,
    multiaddr: &str,
    checksum: B256,
    by_name: &Lookup,
    by_digest: &Lookup,
) -> Result<Option<String>, Error> {
    let is_meant = match by_name {
        Lookup::Found(found) => [found.digest, found.image_id].contains(&Some(checksum)),
        _ => false,
    };
    let differs = |why: String| {
        let reason = format!("the checksum {checksum} of app {app} pins no image: {why}");
        let hint = "its owner pushes the image and deploys the app again with its digest; or use \
                    --skip-preflight-check";
        Err(Misuse::error(Code::ImageDigestDiffers, reason, hint))
    };
    match (by_name, by_digest) {
        _ if is_meant => Ok(None),
        (_, Lookup::Found(_)) => Ok(None),
        (Lookup::Found(found), Lookup::NotFound) => {
            let now = found.digest.or(found.image_id).unwrap_or_default();
            differs(format!("`{multiaddr}` has the digest {now}"))
        }
        (Lookup::NotFound, Lookup::NotFound) => {
            differs(format!("`{multiaddr}` is not in its registry"))
        }
        (_, Lookup::Unknown(reason)) | (Lookup::Unknown(reason), _) => Ok(Some(format!(
            "whether the image of app {app} is there could not be checked: {reason}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_nobody_can_pull_is_told_before_a_run() {
        let (app, here) = (Address::ZERO, || {
            Lookup::Found(found(Some(A), None).unwrap())
        });
        let judge = |checksum, by_name: Lookup, by_digest: Lookup| match confirm(
            app, "x/y:1", checksum, &by_name, &by_digest,
        ) {
            Ok(None) => "good",
            Ok(Some(_)) => "unknown",
            Err(error) => error.code().unwrap(),
        };
        let silent = || Lookup::Unknown("offline".to_owned());
        let local = Lookup::Found(found(None, Some(B)).unwrap());
        assert_eq!(judge(A, here(), silent()), "good");
        assert_eq!(judge(B, local, silent()), "good");
        assert_eq!(judge(B, here(), here()), "good", "the tag has moved on");
        assert_eq!(judge(B, here(), Lookup::NotFound), "IMAGE_DIGEST_DIFFERS");
        assert_eq!(
            judge(B, Lookup::NotFound, Lookup::NotFound),
            "IMAGE_DIGEST_DIFFERS"
        );
        assert_eq!(judge(B, here(), silent()), "unknown");
        assert_eq!(judge(B, silent(), Lookup::NotFound), "unknown");
    }

    const A: B256 = B256::repeat_byte(1);
    const B: B256 = B256::repeat_byte(2);

    fn found(digest: Option<B256>, image_id: Option<B256>) -> Result<Resolved, String> {
        Ok(Resolved {
            multiaddr: "docker.io/x/y:1".into(),
            digest,
            image_id,
        })
    }

    #[test]
    fn a_missing_checksum_is_filled_in() {
        let pinned = pin("x/y:1", None, found(Some(A), Some(B)), false).unwrap();
        assert_eq!((pinned.checksum, pinned.origin), (A, Origin::Registry));
        assert_eq!(pinned.multiaddr, "docker.io/x/y:1");
        let local = pin("x/y:1", None, found(None, Some(B)), true).unwrap();
        assert_eq!((local.checksum, local.origin), (B, Origin::LocalImage));
        let error = pin("x/y:1", None, found(None, Some(B)), false).unwrap_err();
        assert!(error.to_string().contains("never pushed"));
    }

    #[test]
    fn a_given_checksum_must_agree() {
        assert_eq!(
            pin("x", Some(A), found(Some(A), None), false)
                .unwrap()
                .origin,
            Origin::Confirmed
        );
        assert_eq!(
            pin("x", Some(B), found(None, Some(B)), true)
                .unwrap()
                .origin,
            Origin::Confirmed
        );
        let error = pin("x", Some(B), found(Some(A), None), false)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&A.to_string()) && error.contains(&B.to_string()),
            "{error}"
        );
        assert!(pin("x", Some(B), found(Some(A), Some(B)), false).is_err());
    }

    #[test]
    fn without_an_answer_the_given_checksum_counts() {
        let silent = || Err("offline".to_owned());
        assert_eq!(
            pin("x", Some(A), silent(), false).unwrap().origin,
            Origin::Unconfirmed
        );
        let error = pin("x", None, silent(), false).unwrap_err().to_string();
        assert_eq!(error, "failed to resolve image `x`: offline");
    }
}
