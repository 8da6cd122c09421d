//! `iexec dataset init`.

use chain::Asset;
use sdk::files::iexec_json::ProjectFile;

use super::folders::{FolderArgs, Folders};
use crate::{
    cli::WalletArgs,
    commands::asset::init,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec dataset init --encrypted")]
pub(crate) struct Args {
    #[command(flatten)]
    wallet: WalletArgs,
    /// Make the folders that `iexec dataset encrypt` works with
    #[arg(long)]
    encrypted: bool,
    /// The same as --encrypted
    #[arg(long)]
    tee: bool,
    #[command(flatten)]
    folders: FolderArgs,
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let advice = "- name: how it is displayed\n\
        - multiaddr: where the file is, encrypted if it is not for everybody\n\
        - checksum: sha256 of that file, as `iexec dataset encrypt` prints it";
    let report = init::run(
        Asset::Dataset,
        &args.wallet,
        context,
        ProjectFile::init_dataset,
        advice,
    )?;
    if args.encrypted || args.tee {
        Folders::of(&args.folders, context)?.create()?;
        context.note("Created dataset folder tree for encryption");
    }
    Ok(report)
}
