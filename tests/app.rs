//! Images without a registry: of a shell script, of a program of this machine.

use std::{path::Path, sync::Arc};

use alloy::primitives::{Address, B256};
use anyhow::{Context as _, Result, anyhow};
use chain::{Actor, NewAsset};
use engine::{
    Engine,
    testing::{TestImage, busybox},
};
use protocol::multiaddr;

/// Writes a `computed.json` that points to its first argument.
const DECLARE: &str = r#"
declare_result() {
    printf '{"deterministic-output-path":"%s"}' "$1" > "$IEXEC_OUT/computed.json"
}
"#;

/// Where an image is and what its checksum on chain says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `name:tag`.
    pub name: String,
    /// The digest in the registry, or the image's id when it was never pushed.
    pub checksum: B256,
}

impl Image {
    /// Imports busybox with `script` as its program, pinned by the image's id. The script has a
    /// function `declare_result PATH`. `name` must be unlike all others of the test run.
    pub async fn of_script(engine: &Arc<dyn Engine>, name: &str, script: &str) -> Result<Self> {
        let mut image = busybox().map_err(|reason| anyhow!(reason))?;
        image.entrypoint = vec!["/bin/sh".to_owned(), "/app.sh".to_owned()];
        image.cmd = Vec::new();
        let image = image.with_file("/app.sh", format!("{DECLARE}\n{script}\n"));
        Self::import(engine, name, &image).await
    }

    /// Imports busybox with a program of this machine and the libraries that it is linked to.
    /// `test` and the program's name together must be unlike all others of the test run.
    pub async fn of_program(engine: &Arc<dyn Engine>, test: &str, program: &Path) -> Result<Self> {
        let mut image = busybox().map_err(|reason| anyhow!(reason))?;
        image.entrypoint = vec!["/bin/program".to_owned()];
        image.cmd = Vec::new();
        let whole = image.with_program("/bin/program", program);
        let image = whole.with_context(|| program.display().to_string())?;
        let file = program.file_name().context("no file name")?;
        let name = format!("{test}-{}", file.to_string_lossy());
        Self::import(engine, &name, &image).await
    }

    async fn import(engine: &Arc<dyn Engine>, name: &str, image: &TestImage) -> Result<Self> {
        let name = format!("iexec-suite/{}:1", name.replace([':', '_'], "-"));
        let imported = engine.import(image.archive()?, &name).await?;
        let checksum = B256::from(imported.id.0);
        Ok(Self { name, checksum })
    }

    /// Registers an app of this image.
    pub async fn deploy(&self, developer: &Actor) -> Result<Address> {
        let app = NewAsset::App {
            owner: developer.address(),
            name: "suite".to_owned(),
            kind: "DOCKER".to_owned(),
            multiaddr: multiaddr::encode(&self.name).into(),
            checksum: self.checksum,
            mrenclave: Default::default(),
        };
        Ok(developer.create(&app).await?.0)
    }
}
