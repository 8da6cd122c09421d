//! The config of an image: what to run and which layers make its root.

use serde::Deserialize;

use crate::platform::Platform;
use crate::{Digest, Error};

/// Where programs are looked for when the image says nothing (Docker's default).
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The parts of an image config that a run needs (OCI image spec, "Image Configuration").
#[derive(Debug)]
pub(super) struct ImageConfig {
    pub(super) id: Digest,
    pub(super) entrypoint: Vec<String>,
    pub(super) cmd: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) workdir: String,
    pub(super) user: String,
    /// The digests of the unpacked layers, lowest first.
    pub(super) diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    config: Option<Process>,
    rootfs: RootFs,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Process {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

impl ImageConfig {
    /// Reads a config and refuses one for another kind of machine.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let id = Digest::of(bytes);
        let bad = |reason: String| Error::BadImage { id, reason };
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        let platform = Platform {
            os: document.os,
            architecture: document.architecture,
        };
        platform.check(&Platform::host(), &id.to_string())?;
        let process = document.config.unwrap_or_default();
        let diff_ids = document.rootfs.diff_ids.iter().map(|text| text.parse());
        Ok(Self {
            id,
            entrypoint: process.entrypoint.unwrap_or_default(),
            cmd: process.cmd.unwrap_or_default(),
            env: process.env.unwrap_or_default(),
            workdir: process.working_dir.unwrap_or_default(),
            user: process.user.unwrap_or_default(),
            diff_ids: diff_ids.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn check_layers(&self, count: usize) -> Result<(), Error> {
        if self.diff_ids.len() == count {
            return Ok(());
        }
        let reason = format!("{count} layers, its config names {}", self.diff_ids.len());
        Err(Error::BadImage {
            id: self.id,
            reason,
        })
    }

    /// The command line: the entrypoint, then the caller's arguments or else the default ones.
    pub(super) fn command(&self, args: &[String]) -> Vec<String> {
        let args = if args.is_empty() { &self.cmd } else { args };
        self.entrypoint.iter().chain(args).cloned().collect()
    }

    /// `NAME=value` lines: the image's, replaced and followed by the caller's.
    pub(super) fn environment(&self, ours: &[(String, String)]) -> Vec<String> {
        let replaced = |line: &&String| {
            let name = line.split('=').next().unwrap_or_default();
            !ours.iter().any(|(key, _)| key == name)
        };
        let mut lines: Vec<_> = self.env.iter().filter(replaced).cloned().collect();
        lines.extend(ours.iter().map(|(key, value)| format!("{key}={value}")));
        if !lines.iter().any(|line| line.starts_with("PATH=")) {
            lines.push(DEFAULT_PATH.to_owned());
        }
        lines
    }

    pub(super) fn workdir(&self) -> &str {
        match self.workdir.is_empty() {
            true => "/",
            false => &self.workdir,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::architecture;
    use serde_json::json;

    fn parse(os: &str, process: serde_json::Value) -> Result<ImageConfig, Error> {
        let rootfs = json!({ "diff_ids": [Digest([0; 32]).to_string()] });
        let document = json!({
            "os": os, "architecture": architecture(), "config": process, "rootfs": rootfs,
        });
        ImageConfig::parse(document.to_string().as_bytes())
    }

    #[test]
    fn nulls_and_gaps_are_empty() {
        for process in [
            json!(null),
            json!({}),
            json!({ "Entrypoint": null, "Cmd": null }),
        ] {
            let config = parse("linux", process).unwrap();
            assert!(config.command(&[]).is_empty());
            assert_eq!((config.workdir(), config.user.as_str()), ("/", ""));
            assert_eq!(config.environment(&[]), [DEFAULT_PATH]);
        }
    }

    #[test]
    fn our_environment_replaces_the_images() {
        let config = parse("linux", json!({ "Env": ["A=1", "PATH=/x", "B=2"] })).unwrap();
        let ours = [("A".to_owned(), "=3".to_owned())];
        assert_eq!(config.environment(&ours), ["PATH=/x", "B=2", "A==3"]);
    }

    #[test]
    fn another_system_is_refused() {
        let error = parse("windows", json!({})).unwrap_err().to_string();
        assert!(error.contains("made for windows/"), "{error}");
    }
}
