//! `iexec init`.

use chain::Wallet;
use sdk::{
    chains,
    files::{
        chain_json::{self, ChainFile},
        iexec_json::{self, ProjectFile},
    },
};
use serde_json::json;

use crate::{
    cli::WalletCreateArgs,
    context::{Context, write},
    outcome::{Failure, Report},
    prompt, wallets,
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec init --skip-wallet")]
pub(crate) struct Args {
    #[command(flatten)]
    wallet: WalletCreateArgs,
    /// Overwrite existing files
    #[arg(long)]
    force: bool,
    /// Do not create a wallet
    #[arg(long)]
    skip_wallet: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Report, Failure> {
    let force = args.force || context.raw;
    let default = match context.network()? {
        Some(_) => chains::LOCAL,
        None => chains::OFFICIAL_DEFAULT,
    };
    let project = ProjectFile::template().to_text();
    let files = [
        (iexec_json::FILE_NAME, project),
        (chain_json::FILE_NAME, ChainFile::template(default)),
    ];
    for (name, _) in &files {
        if context.project.join(name).exists() && !force {
            prompt::confirm(&format!("{name} exists already, overwrite it?"))?;
        }
    }
    let saved = match args.skip_wallet {
        true => None,
        false => Some(wallets::save(
            context,
            &Wallet::random(),
            &args.wallet,
            // unlike the two files, a wallet cannot be written again
            args.force,
        )?),
    };
    for (name, text) in &files {
        write(&context.project.join(name), text)?;
        context.note(format!("Here is your {name}:\n{text}"));
    }
    if let Some(saved) = &saved {
        context.note(format!(
            "Your wallet {} is in {}\nBack this file up: without it and its password all funds \
             are lost.",
            saved.address,
            saved.path.display()
        ));
    }
    let raw = json!({
        "walletAddress": saved.as_ref().map(|saved| saved.address.to_checksum(None)),
        "walletFile": saved.as_ref().map(|saved| {
            let path = saved.path.strip_prefix(&context.project);
            path.unwrap_or(&saved.path).display().to_string()
        }),
        "configFile": iexec_json::FILE_NAME,
        "chainConfigFile": chain_json::FILE_NAME,
    });
    Ok(Report::new(raw, "iExec project is ready"))
}
