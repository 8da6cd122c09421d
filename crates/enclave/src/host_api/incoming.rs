//! The archive of a result on its way: taken out of the JSON of the official result proxy and
//! written to its file as it comes, so that its size costs no memory.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufReader, BufWriter, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{engine::general_purpose::STANDARD, read::DecoderReader};
use protocol::TaskId;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{bounded::Bounded, heard::Archive, host::Host, refused::Refused};

/// Bytes of an archive: as much as a worker packs of any result.
pub(super) const ARCHIVE_BYTES_MAX: u64 = 1 << 30;
/// Bytes of the document around it: each of its bytes is up to three digits and a comma.
const DOCUMENT_BYTES_MAX: u64 = 4 * ARCHIVE_BYTES_MAX + (1 << 20);
/// Bytes of a text in it. An archive as base64 is one text, which is held in memory: only programs
/// that are out of use send it so, and the official proxy took no more of them.
pub(super) const TEXT_BYTES_MAX: u64 = 64 << 20;
/// Bytes that are read and written at once.
const PIECE_BYTES: usize = 64 * 1024;

/// An upload that was let in. Dropped before its end, it leaves no trace.
pub(crate) struct Incoming {
    host: Arc<Host>,
    is_kept: bool,
}

impl Incoming {
    pub(super) fn new(host: Arc<Host>) -> Self {
        let is_kept = false;
        Self { host, is_kept }
    }

    /// Reads the whole upload. Blocks as long as `body` does.
    pub(crate) fn receive(mut self, body: impl Read) -> Result<(), Refused> {
        receive(body, self.host.task(), self.host.archive())?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.host.archive_is(match self.is_kept {
            true => Archive::Kept,
            false => Archive::Missing,
        });
    }
}

/// Writes the archive in `body` to the file `to`, which appears when all of it is there.
pub(super) fn receive(body: impl Read, task: TaskId, to: &Path) -> Result<(), Refused> {
    let mut sink = Sink::create(to).map_err(Refused::Disk)?;
    let bounded = Bounded::new(body, DOCUMENT_BYTES_MAX, TEXT_BYTES_MAX);
    let reader = BufReader::with_capacity(PIECE_BYTES, bounded);
    let mut document = serde_json::Deserializer::from_reader(reader);
    let of = document.deserialize_map(Document(&mut sink));
    let of = of.and_then(|of| document.end().map(|()| of));
    match of {
        Err(error) => Err(sink.why(&error)),
        Ok(None) => Err(Refused::Malformed("the upload names no task")),
        Ok(Some(of)) if of != task => Err(Refused::Unsigned),
        Ok(_) if sink.bytes == 0 => Err(Refused::Malformed("the archive is empty")),
        Ok(_) => sink.keep(to).map_err(Refused::Disk),
    }
}

/// The file until it is whole.
struct Sink {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    failed: Option<Refused>,
}

impl Sink {
    fn create(to: &Path) -> io::Result<Self> {
        let path = to.with_added_extension("part");
        let file = BufWriter::with_capacity(PIECE_BYTES, File::create(&path)?);
        Ok(Self {
            path,
            file,
            bytes: 0,
            failed: None,
        })
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.bytes += bytes.len() as u64;
        if self.bytes > ARCHIVE_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
        self.file.write_all(bytes).map_err(Refused::Disk)
    }

    /// The same for a parser, which knows its own errors only.
    fn take<E: de::Error>(&mut self, bytes: &[u8]) -> Result<(), E> {
        self.push(bytes).map_err(|refused| {
            let error = E::custom(&refused);
            self.failed = Some(refused);
            error
        })
    }

    fn why(&mut self, error: &serde_json::Error) -> Refused {
        if let Some(refused) = self.failed.take() {
            return refused;
        }
        match error.io_error_kind() {
            Some(ErrorKind::FileTooLarge) => Refused::TooLarge,
            _ => Refused::Malformed("the upload cannot be read"),
        }
    }

    fn keep(mut self, to: &Path) -> io::Result<()> {
        self.file.flush()?;
        fs::rename(&self.path, to)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // After `keep` there is none.
        let _ = fs::remove_file(&self.path);
    }
}

/// The official upload, of which only the task and the archive matter.
struct Document<'a>(&'a mut Sink);

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Option<TaskId>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upload of a result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut task, mut has_zip) = (None, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "chainTaskId" if task.is_none() => task = Some(map.next_value()?),
                "zip" if !has_zip => {
                    has_zip = true;
                    map.next_value_seed(Zip(self.0))?;
                }
                "chainTaskId" | "zip" => return Err(de::Error::custom("a field comes twice")),
                _ => map.next_value_seed(Scalar)?,
            }
        }
        Ok(task)
    }
}

/// Base64 text of the Java programs or an array of numbers of those in Rust.
struct Zip<'a>(&'a mut Sink);

impl<'de> DeserializeSeed<'de> for Zip<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Zip<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64 text or an array of bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let mut decoder = DecoderReader::new(text.as_bytes(), &STANDARD);
        let mut piece = [0; 4096];
        loop {
            let read = decoder.read(&mut piece).map_err(E::custom)?;
            let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(());
            };
            self.0.take(bytes)?;
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(byte) = seq.next_element::<u8>()? {
            self.0.take(&[byte])?;
        }
        Ok(())
    }
}

/// A value that is skipped. A list or an object is refused: of these a parser remembers how deep
/// it is, and they may be as deep as the document is long.
struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl Visitor<'_> for Scalar {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true, false or null")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_beyond_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = Sink::create(&dir.path().join("a")).unwrap();
        sink.bytes = ARCHIVE_BYTES_MAX - 1;
        sink.push(&[0]).unwrap();
        assert!(matches!(sink.push(&[0]), Err(Refused::TooLarge)));
    }
}
