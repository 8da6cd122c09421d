//! `init` of an asset: its section in `iexec.json`.

use chain::Asset;
use protocol::Address;
use sdk::files::iexec_json::{self, ProjectFile};
use serde_json::{Value, json};

use crate::{
    cli::WalletArgs,
    context::{Context, write},
    outcome::{Failure, Report},
    wallets,
};

/// Puts the section that `template` makes for the wallet's address into `iexec.json`, and tells
/// what to edit.
pub(crate) fn run(
    asset: Asset,
    wallet: &WalletArgs,
    context: &Context,
    template: impl FnOnce(&mut ProjectFile, Address) -> Value,
    advice: &str,
) -> Result<Report, Failure> {
    let mut file = context.project_file()?;
    let owner = match wallets::try_find(context, wallet)? {
        Some(found) => found.address()?,
        None => Address::ZERO,
    };
    let section = template(&mut file, owner);
    write(&context.project.join(iexec_json::FILE_NAME), file.to_text())?;
    let saved = json!({ asset.name(): section });
    let message = format!(
        "Saved default {} in \"{}\", you can edit it:\n{advice}",
        asset.name(),
        iexec_json::FILE_NAME
    );
    Ok(Report::new(saved.clone(), message).with_data(&saved))
}
