//! `iexec app init`.

use chain::Asset;
use sdk::files::iexec_json::ProjectFile;

use crate::{
    cli::{TeeArgs, WalletArgs},
    commands::asset::init,
    context::Context,
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app init")]
pub(crate) struct Args {
    #[command(flatten)]
    wallet: WalletArgs,
    #[command(flatten)]
    framework: TeeArgs,
    /// Accepted for compatibility with version 8: a TDX app is declared like any other
    #[arg(long, hide = true)]
    tee: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    args.framework.warn(context);
    if args.tee {
        context.note("--tee is no longer used: a TDX app is declared like any other");
    }
    let advice = "- name: how it is displayed\n\
        - multiaddr: the image's name, as for `docker pull`\n\
        - checksum: remove it to take the image's own digest";
    init::run(
        Asset::App,
        &args.wallet,
        context,
        ProjectFile::init_app,
        advice,
    )
}
