//! The demo's app: greets its first argument in a frame, as the tutorial's app does with figlet.
//!
//! Compiled by the build script into one static program, so that its image needs nothing else.

use std::{env, fs, io, path::Path, process::ExitCode};

fn main() -> ExitCode {
    match greet() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn greet() -> io::Result<()> {
    let out = env::var("IEXEC_OUT").unwrap_or_else(|_| "/iexec_out".into());
    let name = env::args().nth(1).unwrap_or_else(|| "World".into());
    let text = frame(&format!("Hello, {name}!"));
    println!("{text}");
    fs::write(Path::new(&out).join("result.txt"), &text)?;
    let computed = format!("{{\"deterministic-output-path\": \"{out}/result.txt\"}}");
    fs::write(Path::new(&out).join("computed.json"), computed)
}

fn frame(text: &str) -> String {
    let line = "═".repeat(text.chars().count() + 4);
    format!("╔{line}╗\n║  {text}  ║\n╚{line}╝")
}
