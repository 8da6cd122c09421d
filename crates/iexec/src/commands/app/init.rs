//! `iexec app init`.

use protocol::Address;
use sdk::files::iexec_json;
use serde_json::json;

use crate::{
    cli::WalletArgs,
    context::{Context, write},
    outcome::{Failure, Report},
    wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec app init")]
pub(crate) struct Args {
    #[command(flatten)]
    wallet: WalletArgs,
    /// Accepted for compatibility with older tutorials
    #[arg(long, hide = true)]
    tee_framework: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    if args.tee_framework.is_some() {
        context.note("--tee-framework is no longer used");
    }
    let mut file = context.project_file()?;
    let owner = match wallets::try_find(context, &args.wallet)? {
        Some(found) => found.address()?,
        None => Address::ZERO,
    };
    let app = file.init_app(owner);
    write(&context.project.join(iexec_json::FILE_NAME), file.to_text())?;
    let message = "Saved default app in \"iexec.json\", you can edit it:\n\
        - name: how it is displayed\n\
        - multiaddr: the image's name, as for `docker pull`\n\
        - checksum: remove it to take the image's own digest";
    Ok(Report::new(json!({ "app": app }), message).with_data(&json!({ "app": app })))
}
