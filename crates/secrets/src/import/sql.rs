//! The little of SQL that H2's `SCRIPT` writes: tables with their columns, and rows of literals.

use std::collections::BTreeMap;

/// One row of a dump.
pub(super) struct Record {
    /// The table's name in upper case, without its schema.
    pub(super) table: String,
    values: BTreeMap<String, Option<String>>,
}

impl Record {
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        self.values.get(column)?.as_deref()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A keyword, number or name, in upper case.
    Word(String),
    Text(String),
    Sign(char),
}

/// All rows of all tables.
pub(super) fn records(dump: &str) -> Result<Vec<Record>, String> {
    let tokens = tokens(dump)?;
    let mut columns = BTreeMap::new();
    let mut records = Vec::new();
    for statement in tokens.split(|token| *token == Token::Sign(';')) {
        let words: Vec<_> = statement.iter().map_while(word).collect();
        match words.as_slice() {
            ["CREATE", .., "TABLE", _] | ["CREATE", .., "TABLE", "IF", "NOT", "EXISTS", _] => {
                let (table, rest) = table(&statement[words.len() - 1..]);
                columns.insert(table, names(rest));
            }
            ["INSERT", "INTO", ..] => rows(&statement[2..], &columns, &mut records)?,
            _ => {}
        }
    }
    Ok(records)
}

fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

/// A name that may have a schema in front, and what follows it.
fn table(tokens: &[Token]) -> (String, &[Token]) {
    let is_dotted = tokens.get(1) == Some(&Token::Sign('.'));
    let tokens = if is_dotted { &tokens[2..] } else { tokens };
    let name = tokens.first().and_then(word).unwrap_or_default();
    (name.to_owned(), tokens.get(1..).unwrap_or_default())
}

/// The first word after each bracket or comma of the outermost bracket.
fn names(tokens: &[Token]) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    for pair in tokens.windows(2) {
        match pair[0] {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth -= 1,
            _ => {}
        }
        let begins = matches!(pair[0], Token::Sign('(' | ','));
        if depth == 1 && begins {
            names.extend(word(&pair[1]).map(str::to_owned));
        }
    }
    names
}

fn rows(
    tokens: &[Token],
    columns: &BTreeMap<String, Vec<String>>,
    records: &mut Vec<Record>,
) -> Result<(), String> {
    let (table, rest) = table(tokens);
    let values = rest
        .iter()
        .position(|token| *token == Token::Word("VALUES".into()));
    let values = values.ok_or_else(|| format!("rows of {table} have no values"))?;
    let own = names(&rest[..values]);
    let columns = if own.is_empty() {
        columns.get(&table)
    } else {
        Some(&own)
    };
    let columns = columns.ok_or_else(|| format!("the columns of {table} are not told"))?;
    let brackets = rest[values + 1..].split(|token| *token == Token::Sign(')'));
    for row in brackets.filter(|row| !row.is_empty()) {
        let row: Vec<_> = row.iter().filter_map(literal).collect();
        if row.len() != columns.len() {
            return Err(format!("a row of {table} has {} values", row.len()));
        }
        records.push(Record {
            table: table.clone(),
            values: columns.iter().cloned().zip(row).collect(),
        });
    }
    Ok(())
}

fn literal(token: &Token) -> Option<Option<String>> {
    match token {
        Token::Word(word) if word == "NULL" => Some(None),
        Token::Word(text) | Token::Text(text) => Some(Some(text.clone())),
        Token::Sign(_) => None,
    }
}

fn tokens(dump: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = dump;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
        } else if rest.starts_with("--") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(after) = rest.strip_prefix("U&'") {
            let (text, after) = quoted(after, '\'')?;
            tokens.push(Token::Text(unescape(&text)?));
            rest = after;
        } else if first == '\'' {
            let (text, after) = quoted(&rest[1..], '\'')?;
            tokens.push(Token::Text(text));
            rest = after;
        } else if first == '"' {
            let (text, after) = quoted(&rest[1..], '"')?;
            tokens.push(Token::Word(text.to_uppercase()));
            rest = after;
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
            tokens.push(Token::Word(text.to_uppercase()));
            rest = after;
        } else {
            tokens.push(Token::Sign(first));
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(tokens)
}

/// Text up to the closing `quote`, where two of them are one, and what follows.
fn quoted(mut rest: &str, quote: char) -> Result<(String, &str), String> {
    let mut text = String::new();
    loop {
        let (part, after) = rest.split_once(quote).ok_or("a quote is not closed")?;
        text.push_str(part);
        match after.strip_prefix(quote) {
            Some(after) => {
                text.push(quote);
                rest = after;
            }
            None => return Ok((text, after)),
        }
    }
}

/// `\0041` and `\\` of a literal with `U&` in front.
fn unescape(text: &str) -> Result<String, String> {
    let wrong = || "an escaped character is none".to_owned();
    let mut parts = text.split('\\');
    let mut units: Vec<u16> = parts.next().unwrap_or_default().encode_utf16().collect();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            units.push(u16::from(b'\\'));
            units.extend(parts.next().unwrap_or_default().encode_utf16());
            continue;
        }
        let (digits, after) = part.split_at_checked(4).ok_or_else(wrong)?;
        units.push(u16::from_str_radix(digits, 16).map_err(|_| wrong())?);
        units.extend(after.encode_utf16());
    }
    String::from_utf16(&units).map_err(|_| wrong())
}
