//! Where a command runs: the project folder, its files, the chain chosen.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use protocol::Address;
use sdk::{
    Client, chains,
    files::{
        chain_json::{self, ChainFile},
        deployed_json::{self, DeployedFile, Kind},
        iexec_json::{self, ProjectFile},
        network_json::{self, NetworkFile},
        orders_json::{self, OrdersFile},
    },
};

use crate::{cli::Global, outcome::Failure, paths};

/// What all commands share.
#[derive(Debug)]
pub(crate) struct Context {
    /// The project folder: where the program was started.
    pub(crate) project: PathBuf,
    /// Machine output.
    pub(crate) raw: bool,
    /// What the end of the command must not hide.
    warning: OnceLock<&'static str>,
}

impl Context {
    /// The context of this process.
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        let project = std::env::current_dir()
            .map_err(|error| Failure::new(format!("no current directory: {error}")))?;
        Ok(Self {
            project,
            raw: global.raw,
            warning: OnceLock::new(),
        })
    }

    /// Tells something while the command runs.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        crate::outcome::note(self.raw, text.as_ref());
    }

    /// Tells what a check before the command could not look at.
    pub(crate) fn notes(&self, texts: impl IntoIterator<Item = String>) {
        texts.into_iter().for_each(|text| self.note(text));
    }

    /// Warns while the command runs, once; programs get it with the end of the command, whether
    /// that is a success or a failure.
    pub(crate) fn warn(&self, text: &'static str) {
        if self.warning.set(text).is_ok() && !self.raw {
            crate::outcome::to_stderr(&format!("⚠ {text}"));
        }
    }

    /// What people were warned of.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        self.warning.get().copied()
    }

    /// Passes on what an app prints.
    pub(crate) fn echo(&self, text: &str) {
        if !self.raw {
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }

    /// `chain.json`, if there is one.
    pub(crate) fn chain_file(&self) -> Result<Option<ChainFile>, Failure> {
        let text = read(&self.project.join(chain_json::FILE_NAME))?;
        Ok(text.map(|text| ChainFile::parse(&text)).transpose()?)
    }

    /// What the running local network says, if one runs.
    pub(crate) fn network(&self) -> Result<Option<NetworkFile>, Failure> {
        let text = read(&paths::data_dir(None).join(network_json::FILE_NAME))?;
        Ok(text.map(|text| NetworkFile::parse(&text)).transpose()?)
    }

    /// The chain that `--chain` means.
    pub(crate) fn chain(&self, wanted: Option<&str>) -> Result<chains::Chain, Failure> {
        let (file, network) = (self.chain_file()?, self.network()?);
        Ok(chains::resolve(wanted, file.as_ref(), network.as_ref())?)
    }

    /// A connection to the chain that `--chain` means.
    pub(crate) async fn client(&self, wanted: Option<&str>) -> Result<Client, Failure> {
        let chain = self.chain(wanted)?;
        if !self.raw {
            self.note(format!("Using chain {} [{}]", chain.name, chain.host));
        }
        for warning in &chain.warnings {
            self.note(warning);
        }
        Ok(Client::connect(chain).await?)
    }

    /// `iexec.json`.
    pub(crate) fn project_file(&self) -> Result<ProjectFile, Failure> {
        let text = read(&self.project.join(iexec_json::FILE_NAME))?.ok_or_else(|| {
            missing(iexec_json::FILE_NAME)
                .hint("run `iexec init` first, or go to the folder of your project")
        })?;
        Ok(ProjectFile::parse(&text)?)
    }

    /// `deployed.json`, empty when there is none.
    pub(crate) fn deployed(&self) -> Result<DeployedFile, Failure> {
        let text = read(&self.project.join(deployed_json::FILE_NAME))?;
        Ok(text
            .map(|text| DeployedFile::parse(&text))
            .transpose()?
            .unwrap_or_default())
    }

    /// Remembers what was deployed.
    pub(crate) fn save_deployed(&self, file: &DeployedFile) -> Result<(), Failure> {
        let text = sdk::files::pretty(file);
        write(&self.project.join(deployed_json::FILE_NAME), &text)
    }

    /// `orders.json`, empty when there is none.
    pub(crate) fn orders(&self) -> Result<OrdersFile, Failure> {
        let text = read(&self.project.join(orders_json::FILE_NAME))?;
        let file = text.map(|text| OrdersFile::parse(&text)).transpose()?;
        Ok(file.unwrap_or_default())
    }

    /// Remembers orders that were signed.
    pub(crate) fn save_orders(&self, file: &OrdersFile) -> Result<(), Failure> {
        write(&self.project.join(orders_json::FILE_NAME), file.to_text())
    }

    /// Shows data while the command runs: on stdout, nothing with `--raw`.
    pub(crate) fn show(&self, value: &serde_json::Value) {
        if !self.raw {
            let _ = io::stdout().write_all(crate::show::tree(value).as_bytes());
        }
    }

    /// Shows a line of data while the command runs: on stdout, nothing with `--raw`.
    pub(crate) fn say(&self, line: &str) {
        if !self.raw {
            let _ = writeln!(io::stdout(), "{line}");
        }
    }

    /// The given address, else the one deployed last on this chain.
    pub(crate) fn address_or_deployed(
        &self,
        given: Option<&str>,
        kind: Kind,
        chain_id: u64,
    ) -> Result<Address, Failure> {
        if let Some(given) = given.filter(|given| *given != "deployed") {
            return Ok(sdk::parse::address(kind.name(), given)?);
        }
        self.deployed()?.get(kind, chain_id)?.ok_or_else(|| {
            let kind = kind.name();
            Failure::new(format!(
                "Missing {kind}Address and no {kind} found in \"deployed.json\" \
                for chain {chain_id}"
            ))
            .hint(format!(
                "give an address, or run `iexec {kind} deploy` first"
            ))
        })
    }
}

/// A file of the project that is not there.
pub(crate) fn missing(name: &str) -> Failure {
    Failure::new(format!(
        "Missing \"{name}\" file, did you forget to run \"iexec init\"?"
    ))
}

/// A file's text; none when there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!(
            "failed to read {}: {error}",
            path.display()
        ))),
    }
}

/// Writes a file for everybody to read.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    fs::write(path, content)
        .map_err(|error| Failure::new(format!("failed to write {}: {error}", path.display())))
}

/// Writes a file that only its owner may read (0600). It takes the place of an older one when it is
/// whole, with a mode of its own: a full disk costs no key.
pub(crate) fn write_secret(path: &Path, content: &str) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::new(format!("failed to write {}: {error}", path.display()));
    if let Some(dir) = path.parent() {
        create_private_dir(dir).map_err(failed)?;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let whole = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&whole).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&whole, path)
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&whole);
        failed(error)
    })
}

/// Makes the folders that are missing, for their owner alone (0700).
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
