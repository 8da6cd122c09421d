//! A real platform: the kernel's interfaces of a machine with Intel TDX. Quotes come from
//! `configfs-tsm`; launches are measured into RTMR3 by `sysfs`.

use std::{
    fs::{self, File},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use attest::{Attester, Error, Event, EventLog};

/// Where quotes are asked for.
const REPORTS: &str = "/sys/kernel/config/tsm/report";
/// What is written here extends RTMR3.
const RTMR3: &str = "/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384";
/// All launches since the machine was booted, which empties this folder as it does RTMR3.
const LAUNCHES: &str = "/run/iexec-launches.json";
/// Where the report data stand in a quote: after its header, at the end of the machine's report.
const REPORT_DATA: std::ops::Range<usize> = 568..632;

/// The platform, for one agent at a time: the launch of its task has to be the last one until it is
/// done with its session.
pub(crate) struct Tsm {
    entry: PathBuf,
    rtmr3: PathBuf,
    launches: Mutex<File>,
}

fn failed(what: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::Platform(format!("{}: {error}", what.display()))
}

impl Tsm {
    /// The platform of this machine, if it has one.
    pub(crate) fn open(reports: Option<&Path>) -> Result<Self, Error> {
        let reports = reports.unwrap_or(Path::new(REPORTS));
        Self::at(reports, Path::new(RTMR3), Path::new(LAUNCHES))
    }

    fn at(reports: &Path, rtmr3: &Path, launches: &Path) -> Result<Self, Error> {
        if !reports.is_dir() {
            let reason = format!(
                "this machine gives no quotes: there is no {}",
                reports.display()
            );
            return Err(Error::Platform(reason));
        }
        if !rtmr3.exists() {
            let reason = format!(
                "this machine measures no launches: there is no {}",
                rtmr3.display()
            );
            return Err(Error::Platform(reason));
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(launches)
            .map_err(failed(launches))?;
        Ok(Self {
            entry: reports.join("iexec-enclave"),
            rtmr3: rtmr3.to_owned(),
            launches: Mutex::new(file),
        })
    }

    /// Blocks until no other agent has the platform.
    pub(crate) fn take_turn(self) -> Result<Self, Error> {
        let file = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        file.lock().map_err(failed(Path::new(LAUNCHES)))?;
        drop(file);
        Ok(self)
    }

    fn read(mut file: &File) -> Result<EventLog, Error> {
        let path = Path::new(LAUNCHES);
        let text = file.rewind().and_then(|()| io::read_to_string(file));
        let text = text.map_err(failed(path))?;
        if text.is_empty() {
            return Ok(EventLog::default());
        }
        let read = serde_json::from_str(&text).map_err(io::Error::from);
        read.map_err(failed(path))
    }
}

impl Attester for Tsm {
    fn quote(&self, report_data: [u8; 64]) -> Result<Vec<u8>, Error> {
        let entry = &self.entry;
        // One that a killed agent left is as good: the lock says that it is nobody's.
        match fs::create_dir(entry) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(entry)(error));
            }
            _ => {}
        }
        let asked = fs::write(entry.join("inblob"), report_data);
        let quote = asked.and_then(|()| fs::read(entry.join("outblob")));
        // Of the kernel's own folder, this removes the files as well.
        let _ = fs::remove_dir(entry);
        let quote = quote.map_err(failed(entry))?;
        match quote.get(REPORT_DATA) == Some(&report_data) {
            true => Ok(quote),
            false => Err(Error::Platform("the quote is for something else".into())),
        }
    }

    fn extend(&self, event: Event) -> Result<(), Error> {
        let mut file = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut log = Self::read(&file)?;
        fs::write(&self.rtmr3, event.digest).map_err(failed(&self.rtmr3))?;
        log.0.push(event);
        let text = serde_json::to_vec(&log).map_err(io::Error::from);
        let written = text.and_then(|text| {
            file.rewind()?;
            file.write_all(&text)?;
            file.set_len(text.len() as u64)
        });
        written.map_err(failed(Path::new(LAUNCHES)))
    }

    fn event_log(&self) -> Result<EventLog, Error> {
        let file = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        Self::read(&file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with the files that a kernel would make.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(report_data: [u8; 64]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let entry = dir.path().join("report/iexec-enclave");
            fs::create_dir_all(&entry).unwrap();
            let mut quote = vec![0; REPORT_DATA.end + 10];
            quote[REPORT_DATA].copy_from_slice(&report_data);
            fs::write(entry.join("outblob"), quote).unwrap();
            fs::write(dir.path().join("rtmr3"), "").unwrap();
            Self(dir)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn open(&self) -> Result<Tsm, Error> {
            Tsm::at(
                &self.path("report"),
                &self.path("rtmr3"),
                &self.path("launches.json"),
            )
        }
    }

    #[test]
    fn a_quote_is_asked_for_and_compared() {
        let tree = Tree::new([7; 64]);
        let tsm = tree.open().unwrap();
        assert_eq!(tsm.quote([7; 64]).unwrap()[REPORT_DATA], [7; 64]);
        let asked = fs::read(tree.path("report/iexec-enclave/inblob")).unwrap();
        assert_eq!(asked, [7; 64]);
        assert!(tsm.quote([8; 64]).is_err());
    }

    #[test]
    fn launches_are_measured_and_remembered_by_the_next_agent() {
        let tree = Tree::new([0; 64]);
        let [a, b] = [Event::of("a", b"1"), Event::of("b", b"2")];
        let first = tree.open().unwrap();
        first.extend(a.clone()).unwrap();
        assert_eq!(fs::read(tree.path("rtmr3")).unwrap(), a.digest.to_vec());
        drop(first);
        let second = tree.open().unwrap();
        second.extend(b.clone()).unwrap();
        assert_eq!(second.event_log().unwrap(), EventLog(vec![a, b]));
    }

    #[test]
    fn agents_take_turns() {
        let tree = Tree::new([0; 64]);
        let first = tree.open().unwrap().take_turn().unwrap();
        let second = tree.open().unwrap();
        let would_block = |tsm: &Tsm| tsm.launches.lock().unwrap().try_lock().is_err();
        assert!(would_block(&second));
        drop(first);
        let second = second.take_turn().unwrap();
        assert!(would_block(&tree.open().unwrap()));
        drop(second);
        assert!(!would_block(&tree.open().unwrap()));
    }

    #[test]
    fn a_machine_without_the_interfaces_says_so() {
        let tree = Tree::new([0; 64]);
        let missing = Tsm::open(Some(&tree.path("nothing"))).err().unwrap();
        assert!(missing.to_string().contains("gives no quotes"), "{missing}");
        fs::remove_file(tree.path("rtmr3")).unwrap();
        let missing = tree.open().err().unwrap();
        assert!(missing.to_string().contains("no launches"), "{missing}");
    }
}
