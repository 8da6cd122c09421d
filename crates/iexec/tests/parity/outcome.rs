//! What one invocation said and did, as one JSON value in which every place can be named.

use std::{collections::BTreeMap, fs, path::Path, process::Output};

use anyhow::Result;
use serde_json::{Map, Value, json};

/// Texts of the files of some folders.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Every file under `folder`, by its path with `prefix` before it.
pub(crate) fn files(folder: &Path, prefix: &str, found: &mut Files) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            files(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// `{code, stdout, stderr, files}`; `files` are those that are new or changed.
pub(crate) fn outcome(output: &Output, before: &Files, after: &Files) -> Value {
    let changed: Map<String, Value> = after
        .iter()
        .filter(|(name, bytes)| before.get(*name) != Some(bytes))
        .map(|(name, bytes)| (name.clone(), content(bytes)))
        .collect();
    json!({
        "code": output.status.code(),
        "stdout": without_extras(said(&output.stdout)),
        "stderr": without_extras(said(&output.stderr)),
        "files": changed,
    })
}

/// One line of JSON as its value; of a refused command line the first line, as the rest is each
/// program's own usage text; else the text.
fn said(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    if let Ok(Value::Object(map)) = serde_json::from_str(line) {
        return Value::Object(map);
    }
    if line.starts_with("error: ") {
        return line.lines().next().unwrap_or_default().trim_end().into();
    }
    if line.contains("Usage: ") {
        return "<usage>".into();
    }
    text.into()
}

/// Ours says in `error.hint` what to do about it, in `error.code` which rule of confidential runs
/// is broken, in `warning` that enclaves are simulated, and has an `error` beside `fail`; readers
/// of `--raw` skip keys they do not know.
fn without_extras(mut said: Value) -> Value {
    // a partial failure has both the official list and our error
    if let Some(said) = said
        .as_object_mut()
        .filter(|said| said.contains_key("fail"))
    {
        said.shift_remove("error");
    }
    if let Some(error) = said.get_mut("error").and_then(Value::as_object_mut) {
        error.shift_remove("hint");
        error.shift_remove("code");
    }
    if let Some(said) = said.as_object_mut() {
        said.shift_remove("warning");
    }
    said
}

/// A JSON file that is laid out as JavaScript does as its value, a text as text.
fn content(bytes: &[u8]) -> Value {
    let Ok(text) = str::from_utf8(bytes) else {
        return format!("<{} bytes>", bytes.len()).into();
    };
    match serde_json::from_str::<Value>(text) {
        Ok(value) if is_pretty(&value, text) || value.to_string().as_str() == text => value,
        _ => text.into(),
    }
}

fn is_pretty(value: &Value, text: &str) -> bool {
    serde_json::to_string_pretty(value).is_ok_and(|pretty| pretty == text)
}
