//! The TOML file of a role: reading it, and writing one with every key explained.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    context::{self, Context},
    outcome::{Failure, Report},
};

/// Reads the settings of a role; without a file they are the defaults.
pub(crate) fn read<T: DeserializeOwned + Default>(path: Option<&Path>) -> Result<T, Failure> {
    let Some(path) = path else {
        return Ok(T::default());
    };
    let text = context::read(path)?.ok_or_else(|| {
        Failure::new(format!("there is no {}", path.display()))
            .named("ValidationError")
            .hint("write one with `init --out FILE`, e.g. `iexec pool init --out pool.toml`")
    })?;
    read_text(&text).map_err(|reason| {
        Failure::new(format!("{} cannot be used: {reason}", path.display()))
            .named("ValidationError")
            .hint("`init` prints every key with its meaning, e.g. `iexec pool init`")
    })
}

pub(crate) fn read_text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| told(text, &error))
}

/// With the line itself, unless there is a password in the file, which might be shown so.
fn told(text: &str, error: &toml::de::Error) -> String {
    let is_password = |line: &str| {
        let key = line.split('=').next().unwrap_or_default();
        key.trim().trim_matches(['"', '\'']) == "password"
    };
    if !text.lines().any(is_password) {
        return error.to_string().trim_end().to_owned();
    }
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
    format!("line {line}: {}", error.message())
}

/// Options of `init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec worker init --out worker.toml")]
pub(crate) struct TemplateArgs {
    /// File to write; without it the text is printed
    #[arg(long, value_name = "file")]
    out: Option<PathBuf>,
    /// Overwrite a file that exists
    #[arg(long)]
    force: bool,
}

impl TemplateArgs {
    /// Prints or writes `template`.
    pub(crate) fn run(&self, template: &str, context: &Context) -> Result<Report, Failure> {
        let Some(out) = &self.out else {
            return Ok(Report::text(template.to_owned()));
        };
        let path = context.project.join(out);
        if path.exists() && !self.force {
            return Err(Failure::new(format!("{} exists already", path.display()))
                .named("ValidationError")
                .hint("choose another name, or overwrite it with --force"));
        }
        context::write(&path, template)?;
        let path = path.display().to_string();
        let message = format!("wrote {path}: every key is explained in it");
        Ok(Report::new(json!({ "path": path }), message))
    }
}

/// A template with every key in use: what it explains must be read back.
#[cfg(test)]
pub(crate) fn uncommented<T: DeserializeOwned>(template: &str) -> T {
    let is_key = |line: &str| {
        line.starts_with("# ") && line.contains(" = ")
            || ["# [[offer]]", "# [[registry]]", "# [attestation]"].contains(&line)
    };
    let line = |line: &str| match is_key(line) {
        true => format!("{}\n", line.trim_start_matches("# ")),
        false => format!("{line}\n"),
    };
    read_text(&template.lines().map(line).collect::<String>()).unwrap()
}
