//! Questions on the terminal. Without one they are answered by options, or the command fails with
//! the option's name.

use std::io::IsTerminal;

use crate::outcome::Failure;

/// Whether somebody can answer.
pub(crate) fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// A new password, typed twice.
pub(crate) fn new_password() -> Result<String, Failure> {
    ask(dialoguer::Password::new()
        .with_prompt("Please choose a password for wallet encryption")
        .with_confirmation("Please confirm your password", "Passwords missmatch"))
}

/// The password of an existing wallet.
pub(crate) fn password(wallet: &str) -> Result<String, Failure> {
    ask(dialoguer::Password::new().with_prompt(format!(
        "Using wallet {wallet}\nPlease enter your password to unlock it"
    )))
}

/// Something secret that is no password.
pub(crate) fn secret(what: &str, option: &str) -> Result<String, Failure> {
    if !is_possible() {
        return Err(unanswered(&format!("{what} is needed"), option));
    }
    ask(dialoguer::Password::new().with_prompt(format!("Paste {what}")))
}

fn ask(prompt: dialoguer::Password<'_>) -> Result<String, Failure> {
    if !is_possible() {
        return Err(unanswered(
            "a password is needed",
            "--password, or set IEXEC_WALLET_PASSWORD",
        ));
    }
    prompt
        .interact()
        .map_err(|error| Failure::new(format!("no answer: {error}")))
}

/// Yes or no, when somebody can be asked; otherwise no.
pub(crate) fn wants(question: &str) -> bool {
    let asked = dialoguer::Confirm::new()
        .with_prompt(question)
        .default(false);
    is_possible() && asked.interact().unwrap_or(false)
}

/// Yes or no; no is an error.
pub(crate) fn confirm(question: &str) -> Result<(), Failure> {
    if !is_possible() {
        return Err(unanswered(question, "--force"));
    }
    let asked = dialoguer::Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact();
    match asked {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new("Operation aborted by user.")),
        Err(error) => Err(Failure::new(format!("no answer: {error}"))),
    }
}

fn unanswered(what: &str, option: &str) -> Failure {
    Failure::new(format!("no terminal to ask on: {what}"))
        .named("ExitPromptError")
        .hint(format!("use {option}"))
}
