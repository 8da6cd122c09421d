//! How long the functions of a file are, found without parsing Rust: by `fn` at the start of a
//! line and the line that closes it at the same indentation, which rustfmt guarantees.

/// The number of lines of each function with a body.
pub(crate) fn lengths(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| is_function(line));
    starts
        .filter_map(|(start, line)| length(&lines[start..], indentation(line)))
        .collect()
}

fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace().filter(|word| !is_modifier(word));
    words.next() == Some("fn")
}

fn is_modifier(word: &str) -> bool {
    matches!(
        word,
        "pub" | "async" | "const" | "unsafe" | "extern" | "\"C\""
    ) || word.starts_with("pub(")
        || matches!(word, "super)" | "crate)")
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// None for a declaration without a body.
fn length(lines: &[&str], indentation_of_fn: usize) -> Option<usize> {
    let first = lines.first()?;
    if first.ends_with('}') && first.contains('{') {
        return Some(1);
    }
    for (index, line) in lines.iter().enumerate() {
        if indentation(line) == indentation_of_fn {
            if line.trim_end().ends_with(';') {
                return None;
            }
            if line.trim() == "}" {
                return Some(index + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let text = "fn one() {}\npub(crate) async fn three() {\n    body();\n}\n\
                    trait T {\n    fn none(&self);\n    fn two(&self) {\n    }\n}\n";
        assert_eq!(lengths(text), [1, 3, 2]);
    }

    #[test]
    fn signatures_count() {
        let text = "fn long(\n    a: u8,\n) -> u8 {\n    a\n}\n";
        assert_eq!(lengths(text), [5]);
    }
}
