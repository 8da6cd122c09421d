//! Every table that has sealed values, described once: for rotation, verification and backup.

use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    Error, Slot,
    seal::Seal,
    tee::{challenge, record},
};

/// Rows that are read at once: with values of 4 KiB, one MiB.
const PAGE_ROWS: usize = 256;

/// A table with a primary key of texts and a column `sealed`.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The primary key.
    pub(crate) key: &'static [&'static str],
    /// Other columns of text.
    pub(crate) texts: &'static [&'static str],
    /// Columns of numbers.
    pub(crate) numbers: &'static [&'static str],
    /// A column of text that a value is not bound to, empty in backups of earlier versions.
    pub(crate) memory: Option<&'static str>,
    /// Which of the numbers is the value's version.
    version: Option<usize>,
    /// What the value of a row is bound to, from its key and other texts.
    binding: fn(&[String]) -> Option<Vec<u8>>,
}

pub(crate) const TABLES: [&Table; 3] = [
    &Table {
        name: "secret",
        key: &["kind", "owner", "name"],
        texts: &[],
        numbers: &["version"],
        memory: Some("accepted"),
        version: Some(0),
        binding: |texts| match texts {
            [kind, owner, name] => Some(Slot::stored(kind, owner, name)?.binding()),
            _ => None,
        },
    },
    &Table {
        name: "tee_challenge",
        key: &["task"],
        texts: &["address"],
        numbers: &["purge_at"],
        memory: None,
        version: None,
        binding: |texts| match texts {
            [task, address] => Some(challenge::binding(task.parse().ok()?, address)),
            _ => None,
        },
    },
    &Table {
        name: "tee_session",
        key: &["task", "worker"],
        texts: &["id"],
        numbers: &["purge_at"],
        memory: None,
        version: None,
        binding: |texts| match texts {
            [task, worker, id] => {
                let (task, worker) = (task.parse().ok()?, worker.parse().ok()?);
                Some(record::binding(task, worker, id))
            }
            _ => None,
        },
    },
];

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Key first, then the other texts.
    pub(crate) texts: Vec<String>,
    pub(crate) numbers: Vec<i64>,
    /// Of [`Table::memory`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) memory: String,
    #[serde(with = "digits")]
    pub(crate) sealed: Vec<u8>,
}

impl Table {
    /// Columns of text, the key first.
    fn all_texts(&self) -> impl Iterator<Item = &'static str> {
        self.key.iter().chain(self.texts).copied()
    }

    fn columns(&self) -> String {
        let columns: Vec<_> = self
            .all_texts()
            .chain(self.numbers.iter().copied())
            .chain(self.memory)
            .collect();
        format!("{}, sealed", columns.join(", "))
    }

    fn read(&self, row: &AnyRow) -> Result<Row, sqlx::Error> {
        let texts = self.key.len() + self.texts.len();
        let numbers = texts + self.numbers.len();
        Ok(Row {
            texts: (0..texts)
                .map(|at| row.try_get(at))
                .collect::<Result<_, _>>()?,
            numbers: (texts..numbers)
                .map(|at| row.try_get(at))
                .collect::<Result<_, _>>()?,
            memory: match self.memory {
                Some(name) => row.try_get(name)?,
                None => String::new(),
            },
            sealed: row.try_get("sealed")?,
        })
    }

    /// The rows after `after` in the order of their keys, a page of them.
    pub(crate) async fn page(
        &self,
        connection: &mut AnyConnection,
        after: Option<&Row>,
    ) -> Result<Vec<Row>, Error> {
        let (key, columns) = (self.key.join(", "), self.columns());
        let places: Vec<_> = (1..=self.key.len()).map(|at| format!("${at}")).collect();
        let from = match after {
            Some(_) => format!("where ({key}) > ({})", places.join(", ")),
            None => String::new(),
        };
        let name = self.name;
        let sql = format!("select {columns} from {name} {from} order by {key} limit {PAGE_ROWS}");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for text in after.iter().flat_map(|row| &row.texts[..self.key.len()]) {
            query = query.bind(text.clone());
        }
        let rows = query.fetch_all(connection).await;
        let rows = rows.map_err(Error::database("read a page of secrets"))?;
        let rows = rows
            .iter()
            .map(|row| self.read(row))
            .collect::<Result<_, _>>();
        rows.map_err(Error::database("read a secret"))
    }

    /// Puts another sealed value in the place of the one that was read; false when somebody else
    /// has changed the row meanwhile.
    pub(crate) async fn replace(
        &self,
        connection: &mut AnyConnection,
        row: &Row,
        sealed: Vec<u8>,
    ) -> Result<bool, Error> {
        let key = self.key.iter().enumerate();
        let key: Vec<_> = key
            .map(|(at, name)| format!("{name} = ${}", at + 3))
            .collect();
        let (name, key) = (self.name, key.join(" and "));
        let sql = format!("update {name} set sealed = $1 where sealed = $2 and {key}");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(sealed)
            .bind(row.sealed.clone());
        let texts = row.texts[..self.key.len()].iter().cloned();
        let done = texts.fold(query, |query, text| query.bind(text));
        let done = done.execute(connection).await;
        let done = done.map_err(Error::database("rewrap a secret"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Adds a row of a backup.
    pub(crate) async fn insert(
        &self,
        connection: &mut AnyConnection,
        row: &Row,
    ) -> Result<(), Error> {
        let count = self.key.len() + self.texts.len() + self.numbers.len() + 1;
        let count = count + usize::from(self.memory.is_some());
        let places: Vec<_> = (1..=count).map(|at| format!("${at}")).collect();
        let (name, columns, places) = (self.name, self.columns(), places.join(", "));
        let sql = format!("insert into {name} ({columns}) values ({places})");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for text in &row.texts {
            query = query.bind(text.clone());
        }
        for number in &row.numbers {
            query = query.bind(*number);
        }
        if self.memory.is_some() {
            query = query.bind(row.memory.clone());
        }
        let done = query.bind(row.sealed.clone()).execute(connection).await;
        done.map(drop).map_err(Error::database("restore a secret"))
    }

    /// Whether a row has the shape of this table: a backup could be of anything.
    pub(crate) fn fits(&self, row: &Row) -> bool {
        let texts = self.key.len() + self.texts.len();
        let has_place = self.memory.is_some() || row.memory.is_empty();
        row.texts.len() == texts && row.numbers.len() == self.numbers.len() && has_place
    }

    /// What the value of a row is bound to, and its version.
    pub(crate) fn place(&self, row: &Row) -> Result<(Vec<u8>, i64), Error> {
        let binding = (self.binding)(&row.texts).ok_or(Error::Damaged)?;
        Ok((binding, self.version.map_or(0, |at| row.numbers[at])))
    }

    /// Whether the value of a row opens.
    pub(crate) fn check(&self, seal: &Seal, row: &Row) -> Result<(), Error> {
        let (binding, version) = self.place(row)?;
        seal.open_version(&binding, version, &row.sealed).map(drop)
    }
}

/// Bytes in hexadecimal.
mod digits {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}
