//! Which images a pool is told of: a worker that has one gets its tasks first.

use std::{collections::HashSet, time::Duration};

use engine::{Engine, Image};
use protocol::{B256, message::IMAGES_MAX};

/// An engine that lists its images later than this is in trouble; the login goes on without them.
const LIST_TIMEOUT_MS: u64 = 3_000;

/// Checksums of the images that are here, the last used first; none when the engine does not tell.
/// An image that is in no registry counts by its id, where apps may be pinned so.
pub(crate) async fn images(engine: &dyn Engine, allow_local: bool) -> Vec<B256> {
    let patience = Duration::from_millis(LIST_TIMEOUT_MS);
    let listed = match tokio::time::timeout(patience, engine.images()).await {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the pool is not told which images are here");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!("the pool is not told which images are here: the engine is slow");
            Vec::new()
        }
    };
    checksums(&listed, allow_local)
}

fn checksums(images: &[Image], allow_local: bool) -> Vec<B256> {
    let each = images.iter().flat_map(|image| {
        let id = (allow_local && image.digest.is_none()).then_some(image.id);
        image.digest.into_iter().chain(id)
    });
    let mut seen = HashSet::new();
    let each = each.map(|digest| B256::from(digest.0));
    each.filter(|checksum| seen.insert(*checksum))
        .take(IMAGES_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use engine::{Digest, Error, Exit, ImageRef, LogSink, Pin, ProgressSink, Resolved, RunSpec};
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// An engine that has images and does nothing else; without any it does not answer.
    #[derive(Debug)]
    struct Stock(Vec<Image>);

    fn nothing<T>() -> Result<T, Error> {
        let reason = "out of order".to_owned();
        Err(Error::Unavailable { reason })
    }

    #[async_trait]
    impl Engine for Stock {
        fn name(&self) -> &'static str {
            "stock"
        }

        async fn pull(&self, _: &ImageRef, _: &Pin, _: &ProgressSink) -> Result<Image, Error> {
            nothing()
        }

        async fn resolve(&self, _: &ImageRef) -> Result<Resolved, Error> {
            nothing()
        }

        async fn import(&self, _: Bytes, _: &str) -> Result<Image, Error> {
            nothing()
        }

        async fn images(&self) -> Result<Vec<Image>, Error> {
            match self.0.is_empty() {
                true => nothing(),
                false => Ok(self.0.clone()),
            }
        }

        async fn run(&self, _: RunSpec, _: LogSink, _: CancellationToken) -> Result<Exit, Error> {
            nothing()
        }

        async fn adopt(
            &self,
            _: &str,
            _: Duration,
            _: LogSink,
            _: CancellationToken,
        ) -> Result<Option<Exit>, Error> {
            nothing()
        }

        async fn kill(&self, _: &str) -> Result<(), Error> {
            nothing()
        }

        async fn sweep(&self, _: &str) -> Result<usize, Error> {
            nothing()
        }
    }

    #[tokio::test]
    async fn the_profile_names_what_the_engine_has_and_its_trouble_stops_no_login() {
        let config = crate::Config::new(
            String::new(),
            protocol::Address::ZERO,
            String::new(),
            "/nowhere".into(),
        );
        let stock = Stock(vec![image(1, Some(11)), image(2, Some(12))]);
        let told = config.profile(images(&stock, false).await, false).images;
        assert_eq!(told, [11, 12].map(B256::repeat_byte));
        let told = config.profile(images(&Stock(Vec::new()), false).await, false);
        assert!(told.images.is_empty());
    }

    fn image(id: u8, digest: Option<u8>) -> Image {
        let name = ImageRef::parse("user/app:1").unwrap();
        let digest = digest.map(|byte| Digest([byte; 32]));
        Image::new(name, Digest([id; 32]), digest)
    }

    #[test]
    fn an_image_counts_by_what_an_app_is_pinned_by() {
        let here = [image(1, Some(11)), image(2, None), image(3, Some(11))];
        let repeat =
            |bytes: &[u8]| -> Vec<_> { bytes.iter().map(|b| B256::repeat_byte(*b)).collect() };
        assert_eq!(checksums(&here, false), repeat(&[11]));
        assert_eq!(checksums(&here, true), repeat(&[11, 2]));
    }

    #[test]
    fn no_more_are_told_than_a_pool_hears() {
        let many: Vec<_> = (0..=IMAGES_MAX)
            .map(|number| {
                let name = ImageRef::parse("user/app:1").unwrap();
                let digest = Digest::of(&number.to_be_bytes());
                Image::new(name, digest, Some(digest))
            })
            .collect();
        assert_eq!(checksums(&many, false).len(), IMAGES_MAX);
    }
}
