//! A running task for people: one live line per stage on a terminal, plain lines elsewhere,
//! nothing with `--raw`. All on stderr.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use protocol::message::Stream;
use sdk::watch::{Stage, Update};

use crate::outcome::to_stderr;

/// How often the elapsed time on the live line is redrawn.
const REDRAW_PERIOD_MS: u64 = 100;
/// Between two lines about one stage where lines cannot be drawn over.
const LINE_PERCENT: u8 = 10;
/// Bytes of one line of output: a longer one is cut into several.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// Shows updates as they come.
#[derive(Debug)]
pub(crate) struct Live {
    sink: Sink,
    stage: Stage,
    since: Instant,
    /// When the deal was matched.
    start: Instant,
    /// Lines that are not complete yet: standard output, standard error.
    partial: [String; 2],
}

#[derive(Debug)]
enum Sink {
    Silent,
    Lines,
    Terminal(ProgressBar),
}

impl Live {
    /// Starts with the deal just matched.
    pub(crate) fn new(is_raw: bool) -> Self {
        let sink = match (is_raw, std::io::stderr().is_terminal()) {
            (true, _) => Sink::Silent,
            (false, false) => Sink::Lines,
            (false, true) => Sink::Terminal(spinner()),
        };
        let live = Self {
            sink,
            stage: Stage::Matched,
            since: Instant::now(),
            start: Instant::now(),
            partial: Default::default(),
        };
        live.announce();
        live
    }

    /// Shows one update.
    pub(crate) fn show(&mut self, update: Update) {
        match update {
            Update::Stage(stage) => self.enter(stage),
            Update::Output { stream, text } => self.output(stream, &text),
            Update::Missing { stream, bytes } => {
                self.flush();
                self.print(&missing(stream, bytes));
            }
            Update::ReplicateFailed { worker, failure } => {
                self.flush();
                let worker = worker.map(|worker| format!("worker {worker} failed: "));
                self.print(&format!("✖ {}{failure}", worker.unwrap_or_default()));
            }
        }
    }

    /// The end: what is left of the output, and the last stage's time.
    pub(crate) fn finish(mut self) {
        self.flush();
        self.close();
        if let Sink::Terminal(bar) = &self.sink {
            bar.finish_and_clear();
        }
    }

    fn enter(&mut self, stage: Stage) {
        if stage.is_same_step(self.stage) {
            self.proceed(stage);
            return;
        }
        self.close();
        self.stage = stage;
        self.since = Instant::now();
        self.announce();
    }

    /// The same stage, further on: on a terminal at once, elsewhere a line now and then.
    fn proceed(&mut self, stage: Stage) {
        let before = std::mem::replace(&mut self.stage, stage);
        match &self.sink {
            Sink::Terminal(bar) => bar.set_message(stage.to_string()),
            Sink::Lines if is_worth_a_line(before, stage) => self.announce(),
            Sink::Lines | Sink::Silent => {}
        }
    }

    fn announce(&self) {
        match &self.sink {
            Sink::Terminal(bar) => {
                bar.reset_elapsed();
                bar.set_message(self.stage.to_string());
            }
            Sink::Lines => {
                let seconds = self.start.elapsed().as_secs_f64();
                to_stderr(&format!("- {} (at {seconds:.1} s)", self.stage));
            }
            Sink::Silent => {}
        }
    }

    /// On a terminal the finished stage stays with the time it took.
    fn close(&self) {
        if let Sink::Terminal(bar) = &self.sink {
            let seconds = self.since.elapsed().as_secs_f64();
            bar.println(format!("✔ {} ({seconds:.1} s)", self.stage));
        }
    }

    fn output(&mut self, stream: Stream, text: &str) {
        let index = usize::from(stream == Stream::Stderr);
        let mut buffered = std::mem::take(&mut self.partial[index]);
        buffered.push_str(text);
        let mut lines: Vec<&str> = buffered.split('\n').collect();
        let rest = lines.pop().unwrap_or_default();
        for line in lines {
            self.print(&quoted(line));
        }
        match rest.len() < LINE_BYTES_MAX {
            true => self.partial[index] = rest.to_owned(),
            false => self.print(&quoted(rest)),
        }
    }

    fn flush(&mut self) {
        for index in 0..self.partial.len() {
            let rest = std::mem::take(&mut self.partial[index]);
            if !rest.is_empty() {
                self.print(&quoted(&rest));
            }
        }
    }

    fn print(&self, line: &str) {
        match &self.sink {
            Sink::Terminal(bar) => bar.println(line),
            Sink::Lines => to_stderr(line),
            Sink::Silent => {}
        }
    }
}

/// An app that tells how far it is gets about ten lines.
fn is_worth_a_line(before: Stage, now: Stage) -> bool {
    let tens = |stage| match stage {
        Stage::Running(percent) => percent.unwrap_or_default() / LINE_PERCENT,
        _ => 0,
    };
    tens(now) > tens(before)
}

fn missing(stream: Stream, bytes: u64) -> String {
    let name = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    format!("  │ … {bytes} bytes of {name} are not kept …")
}

/// Sets the app's words apart from ours; its control characters must not steer the terminal.
fn quoted(line: &str) -> String {
    let safe = line.chars().filter(|c| !c.is_control() || *c == '\t');
    format!("  │ {}", safe.collect::<String>())
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(REDRAW_PERIOD_MS));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_cannot_steer_the_terminal() {
        assert_eq!(quoted("a\x1b[2Jb\tc\r"), "  │ a[2Jb\tc");
    }

    #[test]
    fn a_log_file_gets_ten_lines_of_progress() {
        let lines =
            |from: Option<u8>, to| is_worth_a_line(Stage::Running(from), Stage::Running(Some(to)));
        assert!(!lines(None, 9) && lines(None, 10) && !lines(Some(10), 19) && lines(Some(19), 20));
        let pulling = |percent| Stage::Pulling(Some(percent));
        assert!(
            !is_worth_a_line(pulling(1), pulling(99)),
            "images are faster"
        );
    }

    #[test]
    fn lines_are_put_together() {
        let mut live = Live::new(true);
        live.output(Stream::Stdout, "one\ntw");
        live.output(Stream::Stderr, "err");
        assert_eq!(live.partial, ["tw", "err"]);
        live.output(Stream::Stdout, "o\n");
        assert_eq!(live.partial, ["", "err"]);
        live.output(Stream::Stdout, &"x".repeat(LINE_BYTES_MAX));
        assert_eq!(live.partial[0], "");
    }
}
