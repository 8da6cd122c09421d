//! `iexec __reference`: the pages of docs/reference, made from what the program knows of itself.
//! `cargo xtask docs` writes them, and its `--check` finds pages that are out of date.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command, CommandFactory};
use protocol::Cause;

use crate::{cli::Cli, env_vars, outcome::Report};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  iexec __reference cli")]
pub(crate) struct Args {
    /// Which page
    page: Page,
}

/// The pages.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Page {
    /// Commands and their options.
    Cli,
    /// Environment variables.
    Environment,
    /// How commands and tasks fail.
    Errors,
}

/// Runs it.
pub(crate) fn run(args: &Args) -> Report {
    Report::text(match args.page {
        Page::Cli => cli(),
        Page::Environment => environment(),
        Page::Errors => errors(),
    })
}

/// How pages begin.
const HEAD: &str = "<!-- Written by `cargo xtask docs`; do not edit. -->\n";

fn cli() -> String {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut text = format!(
        "{HEAD}\n# Commands\n\nOptions of every command: `--raw` prints one line of JSON, for \
        programs; `--help` explains.\n"
    );
    section(&root, "", &mut text);
    text
}

/// A command with its own page, or a group of commands.
fn section(command: &Command, path: &str, text: &mut String) {
    let path = format!("{path} {}", command.get_name());
    let path = path.trim_start();
    let children: Vec<_> = visible(command).collect();
    children.iter().for_each(|child| section(child, path, text));
    let is_group = !children.is_empty() && command.is_arg_required_else_help_set();
    if !path.contains(' ') || is_group {
        return;
    }
    let about = command.get_about().map(ToString::to_string);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let usage = usage.replace('\n', " ");
    let _ = write!(
        text,
        "\n## {path}\n\n{}.\n\n    {usage}\n",
        about.unwrap_or_default()
    );
    let arguments: Vec<_> = command.get_arguments().filter(|arg| is_told(arg)).collect();
    if !arguments.is_empty() {
        text.push_str("\n| argument or option | meaning | default |\n|---|---|---|\n");
    }
    arguments.iter().for_each(|arg| row(arg, text));
    example(command, text);
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|child| !child.is_hide_set() && child.get_name() != "help")
}

fn is_told(arg: &Arg) -> bool {
    let common = ["help", "version", "raw", "quiet"];
    !arg.is_hide_set() && !common.contains(&arg.get_id().as_str())
}

fn row(arg: &Arg, text: &mut String) {
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let names = arg.get_value_names().unwrap_or_default();
    let names: Vec<_> = names.iter().map(|name| format!("<{name}>")).collect();
    let value = match takes_value {
        true => names.join(" "),
        false => String::new(),
    };
    let name = match arg.get_long() {
        Some(long) => format!("--{long} {value}"),
        None => value,
    };
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<_> = defaults
        .filter(|_| takes_value)
        .map(|default| format!("`{}`", default.to_string_lossy()))
        .collect();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.replace('\n', " ").replace('|', "\\|");
    let _ = writeln!(
        text,
        "| `{}` | {help} | {} |",
        name.trim().replace('|', "\\|"),
        defaults.join(" ")
    );
}

fn example(command: &Command, text: &mut String) {
    let Some(help) = command.get_after_help() else {
        return;
    };
    text.push('\n');
    for line in help.to_string().lines() {
        let _ = match line.starts_with(' ') {
            true => writeln!(text, "    {}", line.trim()),
            false => write!(text, "{line}\n\n"),
        };
    }
}

fn environment() -> String {
    let mut text = format!(
        "{HEAD}\n# Environment variables\n\nEvery variable that the program reads; an empty one \
        counts as not set.\n\n| variable | meaning |\n|---|---|\n"
    );
    for (name, meaning) in env_vars::ALL {
        let meaning: Vec<_> = meaning.iter().map(|line| line.trim()).collect();
        let _ = writeln!(text, "| `{name}` | {} |", meaning.join(" "));
    }
    text
}

fn errors() -> String {
    let mut text = format!(
        "{HEAD}\n# Failures\n\n## Exit codes\n\n| code | meaning |\n|---|---|\n\
        | 0 | the command did all that was asked for |\n\
        | 1 | wrong usage, or something failed: the last lines on stderr say what, and how to mend \
        it; with `--raw` it is one line of JSON with `error.name`, `error.message` and, where \
        there is one, `error.hint` and `error.code` |\n\n\
        ## Classes (`error.name`)\n\n| name | meaning |\n|---|---|\n"
    );
    for (name, meaning) in CLASSES {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text.push_str(
        "\n## Confidential runs that cannot work (`error.code`)\n\nTold before anything is signed \
        or sent.\n\n| code | meaning |\n|---|---|\n",
    );
    for code in sdk::Code::ALL {
        let _ = writeln!(text, "| `{}` | {} |", code.as_str(), code.meaning());
    }
    text.push_str(
        "\n## Causes of failed tasks\n\nShown by `iexec app run --watch`, `iexec task debug` and \
        the explorer.\n\n| code | what happened | what to do |\n|---|---|---|\n",
    );
    for cause in Cause::ALL {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            cause.code(),
            cause.sentence(),
            cause.hint()
        );
    }
    text
}

/// The names that failures have, as the official client has them (spec/client.md §1.2).
const CLASSES: [(&str, &str); 18] = [
    ("ValidationError", "a value breaks a rule; nothing was sent"),
    (
        "ObjectNotFoundError",
        "the chain knows no such deal, task, app, dataset, workerpool or category",
    ),
    (
        "Web3ProviderCallError",
        "the chain refused, or could not be reached",
    ),
    (
        "MarketCallError",
        "the market answered with an error, or not at all",
    ),
    ("SmsCallError", "likewise, the secret management service"),
    ("IpfsGatewayCallError", "likewise, the gateway of results"),
    (
        "IpfsNodeCallError",
        "likewise, the node that bulks are put on",
    ),
    ("CompassCallError", "likewise, the directory of workerpools"),
    ("WorkerpoolCallError", "likewise, the API of a workerpool"),
    (
        "NetworkError",
        "a local network, or the node to deploy to, does not work",
    ),
    (
        "InsufficientFundsError",
        "the deployer cannot pay for the contracts",
    ),
    ("JournalError", "the journal of a deployment does not fit"),
    ("TransactionError", "a transaction of a deployment failed"),
    ("EngineError", "containers cannot be run here"),
    ("AppTestError", "`iexec app test` found a fault of the app"),
    (
        "DoctorError",
        "`iexec doctor` found something that does not work",
    ),
    (
        "ExitPromptError",
        "a question could not be asked: there is no terminal",
    ),
    (
        "Error",
        "everything else, such as a file of the project that lacks something",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_section() {
        fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            let children: Vec<_> = visible(command).collect();
            match children.is_empty() {
                true => found.push(path.trim().to_owned()),
                false => children.iter().for_each(|c| leaves(c, &path, found)),
            }
        }
        let page = cli();
        let mut names = Vec::new();
        leaves(&Cli::command(), "", &mut names);
        assert!(names.len() > 30, "{names:?}");
        for name in names {
            assert!(page.contains(&format!("\n## {name}\n")), "{name}");
        }
        assert!(page.contains("--keystoredir <path>") && page.contains("`global`"));
        assert!(!page.contains("__reference") && !page.contains("bridge"));
    }

    #[test]
    fn variables_and_causes_are_all_there() {
        assert!(environment().contains("| `IEXEC_WALLET_PASSWORD` | Password"));
        for cause in Cause::ALL {
            assert!(errors().contains(cause.code()));
        }
    }
}
