//! Style that a machine can check: sizes of files, functions and lines.
//!
//! Exceptions stand in `xtask/tidy.txt` (`kind path limit`). The list only shrinks: an entry that
//! is larger than it needs to be fails as well.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

mod functions;

/// Lines of a file.
const FILE_LINES_MAX: usize = 600;
/// Lines of a function, signature included.
const FUNCTION_LINES_MAX: usize = 70;
/// Half of all functions are shorter than this.
const FUNCTION_LINES_MEDIAN_MAX: usize = 10;
/// Characters of a line.
const LINE_CHARS_MAX: usize = 100;
/// What must not stay in the code.
const BANNED: &[&str] = &["todo!(", "unimplemented!("];
/// Where the exceptions are.
const RATCHET: &str = "xtask/tidy.txt";

#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Excess {
    kind: &'static str,
    path: String,
    size: usize,
    limit: usize,
}

/// Checks all Rust files below the workspace's root.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = &crate::repository()?;
    let mut files = Vec::new();
    for folder in ["crates", "tests", "bench", "xtask"] {
        collect(&root.join(folder), &mut files)?;
    }
    let ratchet = read_ratchet(&root.join(RATCHET))?;
    let (mut excesses, mut lengths) = (Vec::new(), Vec::new());
    for file in &files {
        let text = fs::read_to_string(file)?;
        let path = file.strip_prefix(root)?.to_string_lossy().into_owned();
        check(&path, &text, &mut excesses, &mut lengths);
    }
    let mut complaints = judge(&excesses, &ratchet);
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    if median >= FUNCTION_LINES_MEDIAN_MAX {
        complaints.push(format!("the median function has {median} lines"));
    }
    if !complaints.is_empty() {
        bail!("not tidy:\n  {}", complaints.join("\n  "));
    }
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn check(path: &str, text: &str, excesses: &mut Vec<Excess>, lengths: &mut Vec<usize>) {
    let mut add = |kind, size, limit| {
        if size > limit {
            excesses.push(Excess {
                kind,
                path: path.to_owned(),
                size,
                limit,
            });
        }
    };
    add("file", text.lines().count(), FILE_LINES_MAX);
    let longest = text
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or_default();
    add("line", longest, LINE_CHARS_MAX);
    if !path.starts_with("xtask/") {
        let banned = BANNED.iter().map(|word| text.matches(word).count()).sum();
        add("banned", banned, 0);
    }
    let functions = functions::lengths(text);
    add(
        "function",
        functions.iter().copied().max().unwrap_or_default(),
        FUNCTION_LINES_MAX,
    );
    lengths.extend(functions);
}

fn read_ratchet(path: &Path) -> anyhow::Result<BTreeMap<(String, String), usize>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(
            |line| match line.split_whitespace().collect::<Vec<_>>()[..] {
                [kind, path, limit] => Ok(((kind.to_owned(), path.to_owned()), limit.parse()?)),
                _ => bail!("{RATCHET}: `{line}` is not `kind path limit`"),
            },
        )
        .collect()
}

fn judge(excesses: &[Excess], ratchet: &BTreeMap<(String, String), usize>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut stale = ratchet.clone();
    for Excess {
        kind,
        path,
        size,
        limit,
    } in excesses
    {
        match stale.remove(&((*kind).to_owned(), path.clone())) {
            Some(allowed) if *size == allowed => {}
            Some(allowed) if *size < allowed => {
                complaints.push(format!(
                    "{path}: {kind} is {size} now: lower {RATCHET} to it"
                ));
            }
            _ => complaints.push(format!("{path}: {kind} has {size}, the limit is {limit}")),
        }
    }
    let unused = stale.into_keys();
    complaints
        .extend(unused.map(|(kind, path)| format!("{RATCHET}: `{kind} {path}` is not needed")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excess(size: usize) -> Vec<Excess> {
        vec![Excess {
            kind: "file",
            path: "a.rs".into(),
            size,
            limit: 600,
        }]
    }

    #[test]
    fn exceptions_only_shrink() {
        let ratchet = BTreeMap::from([(("file".to_owned(), "a.rs".to_owned()), 700)]);
        assert!(judge(&excess(700), &ratchet).is_empty());
        assert_eq!(judge(&excess(701), &ratchet).len(), 1);
        assert_eq!(judge(&excess(650), &ratchet).len(), 1);
        assert_eq!(judge(&[], &ratchet).len(), 1);
    }
}
