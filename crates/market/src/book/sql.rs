//! Queries as SQL that SQLite and Postgres both run.

use protocol::{Tag, U256};

use super::{Column, Filter, Query};

/// A value for a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    Text(String),
    Int(i64),
}

/// A `where` clause under construction: text with `$n` placeholders, and their values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Where {
    pub(crate) text: String,
    pub(crate) binds: Vec<Bind>,
}

impl Where {
    pub(crate) fn text(mut self, column: &str, value: impl ToString) -> Self {
        let place = self.bind(Bind::Text(value.to_string()));
        self.and(&format!("{column} = {place}"));
        self
    }

    /// A placeholder for `bind`.
    pub(crate) fn bind(&mut self, bind: Bind) -> String {
        self.binds.push(bind);
        format!("${}", self.binds.len())
    }

    pub(crate) fn int(&mut self, value: u64) -> String {
        self.bind(Bind::Int(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    pub(crate) fn and(&mut self, condition: &str) {
        let joint = if self.text.is_empty() { "where" } else { "and" };
        self.text.push_str(&format!(" {joint} {condition}"));
    }

    fn filter(&mut self, filter: &Filter) {
        match *filter {
            Filter::Is(column, address) => {
                let place = self.bind(Bind::Text(address.to_string()));
                self.and(&format!("{} = {place}", name(column)));
            }
            Filter::OpenTo(column, address) => {
                let one = self.bind(Bind::Text(address.to_string()));
                let zero = self.bind(Bind::Text(protocol::Address::ZERO.to_string()));
                self.and(&format!("{} in ({one}, {zero})", name(column)));
            }
            Filter::Equals(column, n) => self.compare(column, "=", n),
            Filter::AtLeast(column, n) => self.compare(column, ">=", n),
            Filter::AtMost(column, n) => self.compare(column, "<=", n),
            Filter::Covers(tag) => self.covers(tag),
            Filter::Within(tag) => self.within(tag),
        }
    }

    fn compare(&mut self, column: Column, sign: &str, n: u64) {
        let place = self.int(n);
        self.and(&format!("{} {sign} {place}", name(column)));
    }

    fn covers(&mut self, tag: Tag) {
        for (index, word) in words(tag).into_iter().enumerate().filter(|(_, w)| *w != 0) {
            let place = self.bind(Bind::Int(word));
            self.and(&format!("(tag{index} & {place}) = {place}"));
        }
    }

    fn within(&mut self, tag: Tag) {
        for (index, word) in words(tag).into_iter().enumerate().filter(|(_, w)| *w != -1) {
            let place = self.bind(Bind::Int(!word));
            self.and(&format!("(tag{index} & {place}) = 0"));
        }
    }
}

/// A tag as the four words it is stored in, the lowest first.
pub(crate) fn words(tag: Tag) -> [i64; 4] {
    U256::from_be_bytes(tag.0.0)
        .into_limbs()
        .map(u64::cast_signed)
}

const fn name(column: Column) -> &'static str {
    match column {
        Column::App => "app",
        Column::Dataset => "dataset",
        Column::Workerpool => "workerpool",
        Column::Requester => "requester",
        Column::Beneficiary => "beneficiary",
        Column::Signer => "signer",
        Column::Price => "price",
        Column::Volume => "volume",
        Column::Remaining => "remaining",
        Column::Category => "category",
        Column::Trust => "trust",
    }
}

impl Query {
    /// The conditions.
    pub(crate) fn conditions(&self) -> Where {
        let mut clause = Where::default()
            .text("kind", self.kind.name())
            .text("status", "open");
        for filter in &self.filters {
            clause.filter(filter);
        }
        clause
    }

    /// The total order of the matches.
    pub(crate) const fn order(&self) -> &'static str {
        if self.dearest_first() {
            " order by price desc, published, hash"
        } else {
            " order by price, published, hash"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::B256;

    #[test]
    fn words_of_a_tag_start_with_the_lowest() {
        let mut bytes = [0u8; 32];
        (bytes[0], bytes[31]) = (0x80, 9);
        assert_eq!(words(Tag(B256::from(bytes))), [9, 0, 0, i64::MIN]);
    }

    #[test]
    fn empty_words_ask_nothing() {
        let mut clause = Where::default();
        clause.filter(&Filter::Covers(Tag::TEE_TDX));
        assert_eq!(clause.text, " where (tag0 & $1) = $1");
        let mut clause = Where::default();
        clause.filter(&Filter::Within(Tag(B256::repeat_byte(0xff))));
        assert_eq!(clause.text, "");
    }
}
