//! How `iexec_args` becomes the container's arguments.
//!
//! The rules are those of the official worker's splitter (spec/pool-worker.md §2.10); a pool with
//! workers of both kinds only agrees on results when both split alike.

/// Splits `iexec_args`: only spaces separate; both kinds of quote group and vanish, the other kind
/// is literal inside; a backslash stays and keeps the next quote literal; empty quoted arguments
/// vanish; unbalanced quotes give no arguments at all.
pub fn split(text: &str) -> Vec<String> {
    let mut args = Vec::new();
    let mut current = String::new();
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for c in text.chars() {
        let is_quote = (c == '"' || c == '\'') && !escaped;
        match quote {
            Some(open) if is_quote && c == open => quote = None,
            None if is_quote => quote = Some(c),
            None if c == ' ' => flush(&mut current, &mut args),
            _ => current.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    if quote.is_some() {
        return Vec::new();
    }
    flush(&mut current, &mut args);
    args
}

fn flush(current: &mut String, args: &mut Vec<String>) {
    if !current.is_empty() {
        args.push(std::mem::take(current));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tutorials_example() {
        assert_eq!(split("dostuff --with-option"), ["dostuff", "--with-option"]);
    }

    #[test]
    fn quotes_group_and_vanish() {
        assert_eq!(split(r#"a "b c" 'd "e"'"#), ["a", "b c", r#"d "e""#]);
        assert_eq!(split(r#"pre"fix ed" x"#), ["prefix ed", "x"]);
        assert_eq!(split(r#"a "" b"#), ["a", "b"]);
    }

    #[test]
    fn a_backslash_keeps_the_next_quote() {
        assert_eq!(split(r#"say \"hi\""#), ["say", r#"\"hi\""#]);
    }

    #[test]
    fn tabs_do_not_separate_and_open_quotes_give_nothing() {
        assert_eq!(split("a\tb"), ["a\tb"]);
        assert!(split("a 'b").is_empty());
        assert!(split("   ").is_empty());
    }

    proptest::proptest! {
        /// Whatever a requester writes, no argument is empty and no unquoted space is left.
        #[test]
        fn no_argument_is_empty(text in ".*") {
            proptest::prop_assert!(split(&text).iter().all(|arg| !arg.is_empty()));
        }

        #[test]
        fn plain_words_come_back(words in proptest::collection::vec("[a-z0-9=-]{1,8}", 0..8)) {
            proptest::prop_assert_eq!(split(&words.join(" ")), words);
        }
    }
}
