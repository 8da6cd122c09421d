//! The orders: single ones, those of a page, and all open ones at the start.

use std::collections::HashMap;

use protocol::{OrderHash, Tag, U256};
use sqlx::{AssertSqlSafe, query::Query as Statement};

use super::{
    Database,
    row::{record, signed},
};
use crate::{Error, record::Record};

/// Orders read by one statement.
const CHUNK: usize = 500;

pub(super) const COLUMNS: &str = "hash, kind, status, signer, remaining, published, seen, body";

type Prepared<'q> = Statement<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// A value for a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bind {
    Text(String),
    Int(i64),
}

pub(super) fn bound<'q>(statement: Prepared<'q>, binds: Vec<Bind>) -> Prepared<'q> {
    binds
        .into_iter()
        .fold(statement, |statement, bind| match bind {
            Bind::Text(text) => statement.bind(text),
            Bind::Int(number) => statement.bind(number),
        })
}

impl Database {
    /// An order of any status.
    pub(crate) async fn order(&self, hash: OrderHash) -> Result<Option<Record>, Error> {
        let sql = format!("select {COLUMNS} from market_orders where hash = $1");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(hash.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(Error::database("read an order"))?;
        row.as_ref().map(record).transpose()
    }

    /// Those of these orders that are still open, in the same order.
    pub(super) async fn open_records(&self, hashes: &[OrderHash]) -> Result<Vec<Record>, Error> {
        let mut found = HashMap::new();
        for chunk in hashes.chunks(CHUNK) {
            let places: Vec<String> = (1..=chunk.len()).map(|n| format!("${n}")).collect();
            let sql = format!(
                "select {COLUMNS} from market_orders where hash in ({}) and status = 'open'",
                places.join(", ")
            );
            let binds = chunk.iter().map(|hash| Bind::Text(hash.to_string()));
            for record in self.records(sql, binds.collect()).await? {
                found.insert(record.hash, record);
            }
        }
        Ok(hashes
            .iter()
            .filter_map(|hash| found.remove(hash))
            .collect())
    }

    async fn records(&self, sql: String, binds: Vec<Bind>) -> Result<Vec<Record>, Error> {
        let rows = bound(sqlx::query(AssertSqlSafe(sql)), binds)
            .fetch_all(&self.readers)
            .await
            .map_err(Error::database("read orders"))?;
        rows.iter().map(record).collect()
    }

    /// Reads all open orders into memory.
    pub(super) async fn load_shelves(&self) -> Result<(), Error> {
        let mut last = String::new();
        loop {
            let sql = format!(
                "select {COLUMNS} from market_orders where status = 'open' and hash > $1 \
                 order by hash limit {CHUNK}"
            );
            let records = self.records(sql, vec![Bind::Text(last)]).await?;
            let mut shelves = self
                .shelves
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            records.iter().for_each(|record| shelves.put(record));
            drop(shelves);
            let Some(newest) = records.last().filter(|_| records.len() == CHUNK) else {
                return Ok(());
            };
            last = newest.hash.to_string();
        }
    }
}

pub(super) const PUBLISH: &str = "insert into market_orders \
     (hash, kind, status, signer, app, dataset, workerpool, requester, beneficiary, price, volume, \
     remaining, category, trust, tag0, tag1, tag2, tag3, published, seen, body) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20, $21) \
     on conflict (hash) do update set status = excluded.status, remaining = excluded.remaining, \
     seen = excluded.seen \
     where market_orders.status = 'dead' \
     returning hash, kind, status, signer, remaining, published, seen, body";

pub(super) fn publish_binds(new: &Record) -> Vec<Bind> {
    let terms = &new.terms;
    let mut binds = vec![
        Bind::Text(new.hash.to_string()),
        Bind::Text(new.kind.name().to_owned()),
        Bind::Text(new.status.to_string()),
        Bind::Text(new.signer.to_string()),
    ];
    let roles = [
        terms.app,
        terms.dataset,
        terms.workerpool,
        terms.requester,
        terms.beneficiary,
    ];
    binds.extend(roles.map(|role| Bind::Text(role.to_string())));
    let numbers = [
        terms.price,
        terms.volume,
        new.remaining,
        terms.category,
        terms.trust,
    ];
    binds.extend(numbers.map(|number| Bind::Int(signed(number))));
    binds.extend(words(terms.tag).map(Bind::Int));
    binds.push(Bind::Int(new.published_ms));
    binds.push(Bind::Int(signed(new.seen)));
    binds.push(Bind::Text(
        serde_json::Value::Object(new.body.clone()).to_string(),
    ));
    binds
}

/// A tag as the four words it is stored in, the lowest first.
fn words(tag: Tag) -> [i64; 4] {
    U256::from_be_bytes(tag.0.0)
        .into_limbs()
        .map(u64::cast_signed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        book::{Page, Query},
        testing::{random_filter, random_record},
    };
    use protocol::{B256, order::Kind};
    use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

    async fn publish(database: &Database, record: &Record) -> Option<Record> {
        let mut turn = database.turn().await.unwrap();
        let saved = turn.publish(record).await.unwrap();
        turn.commit().await.unwrap();
        saved
    }

    /// What is searched in memory is what is stored, also after a restart.
    async fn orders_are_found_again(url: &str, reopen: bool) {
        let mut database = Database::open(url).await.unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let records: Vec<_> = (0..80).map(|_| random_record(&mut rng)).collect();
        for record in &records {
            assert_eq!(publish(&database, record).await.as_ref(), Some(record));
        }
        if reopen {
            database.close().await;
            database = Database::open(url).await.unwrap();
        }
        for _ in 0..50 {
            let kind = *Kind::ALL.choose(&mut rng).unwrap();
            let filters = (0..rng.gen_range(0..3))
                .map(|_| random_filter(&mut rng))
                .collect();
            let page = Page { skip: 1, size: 10 };
            let query = Query {
                kind,
                filters,
                page,
            };
            let mut expected: Vec<_> = records
                .iter()
                .filter(|record| record.kind == kind && record.status.is_open())
                .filter(|record| query.admits(&(*record).into()))
                .collect();
            expected.sort_by(|a, b| query.compare(&(*a).into(), &(*b).into()));
            let (count, found) = database.search(&query).await.unwrap();
            assert_eq!(count, expected.len() as u64);
            assert!(
                found.iter().eq(expected.into_iter().skip(1).take(10)),
                "{query:?}"
            );
        }
    }

    #[tokio::test]
    async fn sqlite_finds_what_the_rules_admit() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/market.db", folder.path().display());
        orders_are_found_again(&url, true).await;
        orders_are_found_again("sqlite::memory:", false).await;
    }

    #[tokio::test]
    async fn postgres_finds_what_the_rules_admit() {
        let url = tools::need!(tools::postgres_database());
        orders_are_found_again(&url, true).await;
    }

    #[tokio::test]
    async fn a_dead_order_is_revived_in_place_and_no_other() {
        let database = Database::open("sqlite::memory:").await.unwrap();
        let mut rng = StdRng::seed_from_u64(2);
        let mut record = random_record(&mut rng);
        record.status = crate::Status::Dead;
        publish(&database, &record).await.unwrap();
        let again = Record {
            status: crate::Status::Open,
            published_ms: record.published_ms + 5,
            ..record.clone()
        };
        let revived = publish(&database, &again).await.unwrap();
        assert_eq!(revived.published_ms, record.published_ms);
        assert_eq!(publish(&database, &again).await, None);
    }

    #[test]
    fn every_column_of_a_record_is_bound() {
        let record = random_record(&mut StdRng::seed_from_u64(3));
        assert_eq!(publish_binds(&record).len(), PUBLISH.matches('$').count());
    }

    #[test]
    fn words_of_a_tag_start_with_the_lowest() {
        let mut bytes = [0u8; 32];
        (bytes[0], bytes[31]) = (0x80, 9);
        assert_eq!(words(Tag(B256::from(bytes))), [9, 0, 0, i64::MIN]);
    }
}
