//! `iexec category init`.

use sdk::files::iexec_json;
use serde_json::json;

use crate::{
    context::{Context, write},
    outcome::{Failure, Report},
};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec category init")]
pub(crate) struct Args {}

/// Runs it.
pub(crate) async fn run(_args: &Args, context: &Context) -> Result<Report, Failure> {
    let mut file = context.project_file()?;
    let category = file.init_category();
    write(&context.project.join(iexec_json::FILE_NAME), file.to_text())?;
    let message = "Saved default category in \"iexec.json\", you can edit it:";
    Ok(Report::new(json!({ "category": category }), message).with_data(&category))
}
