//! A value that must not be found.

use std::fs;
use std::path::{Path, PathBuf};

use engine::Digest;

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Nothing that an engine writes down is larger.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// In plain, in hexadecimal digits and in Base64.
pub(crate) struct Canary {
    text: String,
    shapes: Vec<Vec<u8>>,
}

impl Canary {
    /// One that nobody else has.
    pub(crate) fn new() -> Self {
        let mut chance = [0; 16];
        let mut source = fs::File::open("/dev/urandom").unwrap();
        std::io::Read::read_exact(&mut source, &mut chance).unwrap();
        let text = format!("canary-{}", Digest::of(&chance).hex());
        let bytes = text.as_bytes();
        let hex = |digit: fn(&u8) -> String| bytes.iter().map(digit).collect::<String>();
        let mut shapes = vec![
            bytes.to_vec(),
            hex(|byte| format!("{byte:02x}")).into_bytes(),
            hex(|byte| format!("{byte:02X}")).into_bytes(),
        ];
        // Wherever it begins in what was encoded, one of these is in it.
        shapes.extend((0..3).map(|skipped| base64(&bytes[skipped..])));
        Self { text, shapes }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let mut shapes = self.shapes.iter();
        shapes.any(|shape| bytes.windows(shape.len()).any(|window| window == shape))
    }

    /// The files below that have it, and how many there are.
    pub(crate) fn search(&self, dir: &Path) -> (Vec<PathBuf>, usize) {
        let (mut found, mut count, mut open) = (Vec::new(), 0, vec![dir.to_owned()]);
        while let Some(dir) = open.pop() {
            // What is removed meanwhile, or closed to us, has nothing.
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let Ok(kind) = entry.metadata() else { continue };
                if kind.is_dir() {
                    open.push(entry.path());
                } else if kind.is_file() && kind.len() <= FILE_BYTES_MAX {
                    count += 1;
                    let bytes = fs::read(entry.path()).unwrap_or_default();
                    if self.is_in(&bytes) {
                        found.push(entry.path());
                    }
                }
            }
        }
        (found, count)
    }
}

/// The digits that the whole groups of three bytes have.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let digits = |group: &[u8; 3]| {
        let [a, b, c] = group.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        [18, 12, 6, 0].map(|shift| BASE64[(bits >> shift & 63) as usize])
    };
    bytes.as_chunks().0.iter().flat_map(digits).collect()
}

/// The folders of the processes outside of containers, and inside.
pub(crate) fn outsiders() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let space = |process: &Path| fs::read_link(process.join("ns/pid")).ok();
    let ours = space("/proc/self".as_ref());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().bytes().all(|b| b.is_ascii_digit())
    });
    processes.map(|entry| entry.path()).partition(|process| {
        let space = space(process);
        space.is_none() || space == ours
    })
}
