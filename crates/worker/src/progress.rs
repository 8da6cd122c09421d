//! How far an app says it is: the number that it may write to `$IEXEC_OUT/.progress`.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::computed;
use rustix::fs::OFlags;
use tokio::time::{Interval, MissedTickBehavior};

/// How often the file is looked at. Looking is cheap, one open of a file that is mostly not there;
/// more often, nobody could read it. It also bounds how often an app is heard.
const LOOK_PERIOD_MS: u64 = 500;
/// Bytes of the file that are read: a number has fewer.
const BYTES_MAX: u64 = 32;

/// Looks at one app's progress file.
#[derive(Debug)]
pub(crate) struct Watch {
    file: PathBuf,
    period: Interval,
    told: Option<u8>,
}

impl Watch {
    /// For the file in the output folder `out`.
    pub(crate) fn new(out: &Path) -> Self {
        let mut period = tokio::time::interval(Duration::from_millis(LOOK_PERIOD_MS));
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            file: out.join(computed::PROGRESS),
            period,
            told: None,
        }
    }

    /// The next percentage that differs from the one before. Cancel safe.
    pub(crate) async fn next(&mut self) -> u8 {
        loop {
            self.period.tick().await;
            if let Some(percent) = self.look() {
                return percent;
            }
        }
    }

    /// The same now, if there is one.
    pub(crate) fn look(&mut self) -> Option<u8> {
        let percent = parse(&read(&self.file).ok()?)?;
        (self.told.replace(percent) != Some(percent)).then_some(percent)
    }
}

/// Takes the file away, so that it is not in the result. A folder of that name is the app's own.
pub(crate) fn remove(out: &Path) {
    let path = out.join(computed::PROGRESS);
    match fs::symlink_metadata(&path) {
        Ok(meta) if !meta.is_dir() => {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(file = %path.display(), %error, "progress file not removed");
            }
        }
        _ => {}
    }
}

/// The app is a stranger: a link is not followed, a pipe not waited for, a long file not read.
fn read(path: &Path) -> io::Result<String> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = fs::File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// `0.37` and `37%` are both 37.
fn parse(text: &str) -> Option<u8> {
    let text = text.trim();
    let percent = match text.strip_suffix('%') {
        Some(number) => number.trim_end().parse::<f64>().ok()?,
        None => text.parse::<f64>().ok()? * 100.0,
    };
    // Rounding 0.29 * 100 down would give 28.
    (0.0..=100.0)
        .contains(&percent)
        .then_some(percent.round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_and_percentages_are_understood() {
        for (text, percent) in [
            ("0", 0),
            ("0.29\n", 29),
            ("1", 100),
            ("1.0", 100),
            ("37%", 37),
            (" 37.4 %\n", 37),
            ("1e-1", 10),
        ] {
            assert_eq!(parse(text), Some(percent), "{text}");
        }
        for text in ["", "x", "-0.1", "1.01", "101%", "NaN", "inf", "%"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn each_change_is_told_once() {
        let out = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(out.path());
        assert_eq!(watch.look(), None);
        fs::write(out.path().join(".progress"), "0.5").unwrap();
        assert_eq!((watch.look(), watch.look()), (Some(50), None));
        fs::write(out.path().join(".progress"), "51%").unwrap();
        assert_eq!(watch.next().await, 51);
    }

    #[tokio::test]
    async fn only_a_small_plain_file_is_read() {
        let out = tempfile::tempdir().unwrap();
        let file = out.path().join(".progress");
        let look = || Watch::new(out.path()).look();
        fs::write(&file, format!("0.5{}", " ".repeat(40))).unwrap();
        assert_eq!(look(), None);
        fs::write(out.path().join("target"), "0.5").unwrap();
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("target", &file).unwrap();
        assert_eq!(look(), None);
        remove(out.path());
        assert!(fs::symlink_metadata(&file).is_err() && out.path().join("target").exists());
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &file, mode).unwrap();
        assert_eq!(look(), None, "a pipe without a writer does not block");
        remove(out.path());
        fs::create_dir(&file).unwrap();
        assert_eq!(look(), None);
        remove(out.path());
        assert!(file.is_dir());
    }
}
