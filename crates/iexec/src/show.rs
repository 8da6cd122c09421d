//! JSON values for people: one key a line, nested by indentation.

use serde_json::Value;

/// The value as an indented tree.
pub(crate) fn tree(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) => {
            let width = map
                .keys()
                .map(|key| key.chars().count())
                .max()
                .unwrap_or_default()
                + 1;
            for (key, value) in map {
                entry(&format!("{key}:"), width, value, depth, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                entry("-", 1, item, depth, text);
            }
        }
        scalar => line(depth, &plain(scalar), text),
    }
}

fn entry(label: &str, width: usize, value: &Value, depth: usize, text: &mut String) {
    let is_nested = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_nested {
        line(depth, label, text);
        write(value, depth + 1, text);
    } else if let Some(lines) = value
        .as_str()
        .filter(|value| value.trim_end().contains('\n'))
    {
        line(depth, label, text);
        lines
            .lines()
            .for_each(|content| line(depth + 1, content, text));
    } else {
        let shown = plain(value);
        line(depth, format!("{label:width$} {shown}").trim_end(), text);
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim_end().to_owned(),
        Value::Null => String::new(),
        Value::Array(_) => "(none)".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        other => other.to_string(),
    }
}

fn line(depth: usize, content: &str, text: &mut String) {
    text.push_str(&"  ".repeat(depth));
    text.push_str(content);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn trees_are_indented_and_aligned() {
        let list = json!(["y", { "c": true }]);
        let value = json!({ "a": "x", "long": { "b": 1 }, "list": list, "no": [], "t": "1\n2\n" });
        let expected = "\
a:    x
long:
  b: 1
list:
  - y
  -
    c: true
no:   (none)
t:
  1
  2
";
        assert_eq!(tree(&value), expected);
    }
}
