//! The orders.

use protocol::{Address, OrderHash, order::Kind};
use sqlx::{AssertSqlSafe, any::AnyRow, query::Query as Statement};

use super::{
    Database,
    row::{COLUMNS, parsed, record, signed, unsigned},
};
use crate::{
    Error,
    book::{Bind, Query, Where},
    input::subject_field,
    record::{Record, Status},
    rules::status::State,
};

type Prepared<'q> = Statement<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// The open orders of one signer for one resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mine {
    pub(crate) kind: Kind,
    pub(crate) signer: Address,
    pub(crate) resource: Address,
}

fn bound<'q>(statement: Prepared<'q>, binds: Vec<Bind>) -> Prepared<'q> {
    binds
        .into_iter()
        .fold(statement, |statement, bind| match bind {
            Bind::Text(text) => statement.bind(text),
            Bind::Int(number) => statement.bind(number),
        })
}

impl Database {
    /// Saves a new record, or revives a dead one, which keeps its publication time. `None` when
    /// the hash is published already, however that came about meanwhile.
    pub(crate) async fn publish(&self, new: &Record) -> Result<Option<Record>, Error> {
        let row = bound(sqlx::query(PUBLISH), publish_binds(new))
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("publish an order"))?;
        row.as_ref().map(record).transpose()
    }

    pub(crate) async fn order(&self, hash: OrderHash) -> Result<Option<Record>, Error> {
        let sql = format!("select {COLUMNS} from market_orders where hash = $1");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(hash.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("read an order"))?;
        row.as_ref().map(record).transpose()
    }

    /// The page of matches that `query` asks for.
    pub(crate) async fn orders(&self, query: &Query) -> Result<Vec<Record>, Error> {
        let mut clause = query.conditions();
        let size = clause.int(query.page.size);
        let skip = clause.int(query.page.skip);
        let Where { text, binds } = clause;
        let order = query.order();
        let sql =
            format!("select {COLUMNS} from market_orders{text}{order} limit {size} offset {skip}");
        let rows = self.rows(sql, binds).await?;
        rows.iter().map(record).collect()
    }

    /// How many matches `query` has.
    pub(crate) async fn count(&self, query: &Query) -> Result<u64, Error> {
        let Where { text, binds } = query.conditions();
        self.counted(&text, binds).await
    }

    /// Open orders of `kind`, of `signer` or of anybody.
    pub(crate) async fn open_orders(
        &self,
        kind: Kind,
        signer: Option<Address>,
    ) -> Result<u64, Error> {
        let mut clause = Where::default()
            .text("kind", kind.name())
            .text("status", Status::Open);
        if let Some(signer) = signer {
            clause = clause.text("signer", signer);
        }
        self.counted(&clause.text, clause.binds).await
    }

    async fn counted(&self, clause: &str, binds: Vec<Bind>) -> Result<u64, Error> {
        let sql = format!("select count(*) as n from market_orders{clause}");
        let rows = self.rows(sql, binds).await?;
        rows.first().map_or(Ok(0), |row| unsigned(row, "n"))
    }

    async fn rows(&self, sql: String, binds: Vec<Bind>) -> Result<Vec<AnyRow>, Error> {
        bound(sqlx::query(AssertSqlSafe(sql)), binds)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::database("search the order book"))
    }

    /// Takes an open order out of the book; false when it is not there any more.
    pub(crate) async fn remove(&self, hash: OrderHash) -> Result<bool, Error> {
        let clause = Where::default()
            .text("hash", hash)
            .text("status", Status::Open);
        Ok(!self.removed(clause).await?.is_empty())
    }

    /// Takes the newest of a signer's open orders for a resource out of the book.
    pub(crate) async fn remove_last(&self, mine: Mine) -> Result<Vec<OrderHash>, Error> {
        let mut clause = mine.clause();
        let newest = format!(
            "hash = (select hash from market_orders{} order by published desc, hash desc limit 1)",
            clause.text
        );
        clause.text.clear();
        clause.and(&newest);
        self.removed(clause).await
    }

    /// Takes all of them out, the newest first.
    pub(crate) async fn remove_all(&self, mine: Mine) -> Result<Vec<OrderHash>, Error> {
        self.removed(mine.clause()).await
    }

    async fn removed(&self, clause: Where) -> Result<Vec<OrderHash>, Error> {
        let Where {
            text: conditions,
            binds,
        } = clause;
        let sql = format!("delete from market_orders{conditions} returning hash, published");
        let rows = self.rows(sql, binds).await?;
        let read = |row| Ok((unsigned(row, "published")?, parsed(row, "hash")?));
        let mut gone: Vec<(u64, OrderHash)> =
            rows.iter().map(read).collect::<Result<_, Error>>()?;
        gone.sort_unstable_by(|a, b| b.cmp(a));
        Ok(gone.into_iter().map(|(_, hash)| hash).collect())
    }

    /// Rewrites what the chain changes, if nobody changed it since it was read as `from`.
    pub(crate) async fn change(
        &self,
        hash: OrderHash,
        from: State,
        to: State,
    ) -> Result<Option<Record>, Error> {
        let sql = format!(
            "update market_orders set remaining = $1, status = $2 \
             where hash = $3 and remaining = $4 and status = $5 returning {COLUMNS}"
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(signed(to.remaining))
            .bind(to.status.name())
            .bind(hash.to_string())
            .bind(signed(from.remaining))
            .bind(from.status.name())
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::database("change an order"))?;
        row.as_ref().map(record).transpose()
    }
}

impl Mine {
    fn clause(self) -> Where {
        Where::default()
            .text("kind", self.kind.name())
            .text("status", Status::Open)
            .text("signer", self.signer)
            .text(subject_field(self.kind), self.resource)
    }
}

const PUBLISH: &str = "insert into market_orders \
     (hash, kind, status, signer, app, dataset, workerpool, requester, beneficiary, price, volume, \
     remaining, category, trust, tag0, tag1, tag2, tag3, published, body) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20) \
     on conflict (hash) do update set status = excluded.status, remaining = excluded.remaining \
     where market_orders.status = 'dead' \
     returning hash, kind, status, signer, remaining, published, body";

fn publish_binds(new: &Record) -> Vec<Bind> {
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
    binds.extend(crate::book::words(terms.tag).map(Bind::Int));
    binds.push(Bind::Int(new.published_ms));
    binds.push(Bind::Text(
        serde_json::Value::Object(new.body.clone()).to_string(),
    ));
    binds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        book::{Column, Filter, Page},
        order::Terms,
        testing::terms,
    };
    use protocol::{B256, Tag};
    use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
    use serde_json::{Map, Value, json};

    const ROLES: [Column; 4] = [
        Column::App,
        Column::Dataset,
        Column::Workerpool,
        Column::Requester,
    ];
    const NUMBERS: [Column; 4] = [
        Column::Price,
        Column::Remaining,
        Column::Category,
        Column::Trust,
    ];

    fn role(rng: &mut StdRng) -> Address {
        Address::repeat_byte(rng.gen_range(0..3))
    }

    /// Bits at both ends of the words that a tag is stored in.
    fn tag(rng: &mut StdRng) -> Tag {
        let mut bytes = B256::ZERO;
        for index in [0, 8, 24, 31] {
            bytes[index] = *[0, 0x80, 0x01, 0x81].choose(rng).unwrap();
        }
        Tag(bytes)
    }

    fn body(rng: &mut StdRng) -> Map<String, Value> {
        let Value::Object(body) = json!({
            "workerpool": role(rng), "apprestrict": role(rng), "datasetrestrict": role(rng),
            "requesterrestrict": role(rng), "workerpoolprice": rng.gen_range(0..4),
            "volume": 4, "category": rng.gen_range(0..4), "trust": rng.gen_range(0..4),
            "tag": tag(rng),
        }) else {
            unreachable!()
        };
        body
    }

    fn random_record(rng: &mut StdRng) -> Record {
        let body = body(rng);
        Record {
            kind: Kind::Workerpool,
            hash: OrderHash(B256::from(rng.r#gen::<[u8; 32]>())),
            terms: Terms::of(Kind::Workerpool, &body),
            body,
            signer: role(rng),
            remaining: rng.gen_range(0..4),
            status: *[Status::Open, Status::Open, Status::Dead]
                .choose(rng)
                .unwrap(),
            published_ms: rng.gen_range(0..3),
        }
    }

    fn random_filter(rng: &mut StdRng) -> Filter {
        let who = *ROLES.choose(rng).unwrap();
        let number = *NUMBERS.choose(rng).unwrap();
        let n = rng.gen_range(0..4);
        match rng.gen_range(0..8) {
            0 => Filter::Is(who, role(rng)),
            1 => Filter::OpenTo(who, role(rng)),
            2 => Filter::public(who),
            3 => Filter::Equals(number, n),
            4 => Filter::AtLeast(number, n),
            5 => Filter::AtMost(number, n),
            6 => Filter::Covers(tag(rng)),
            _ => Filter::Within(tag(rng)),
        }
    }

    /// The SQL and the pure rule are two statements of one thing.
    async fn sql_admits_what_the_rule_admits(database: Database, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let records: Vec<_> = (0..80).map(|_| random_record(&mut rng)).collect();
        for record in &records {
            assert_eq!(
                database.publish(record).await.unwrap().as_ref(),
                Some(record)
            );
        }
        for _ in 0..200 {
            let filters: Vec<_> = (0..rng.gen_range(0..3))
                .map(|_| random_filter(&mut rng))
                .collect();
            let page = Page {
                skip: rng.gen_range(0..3),
                size: 10,
            };
            let query = Query {
                kind: Kind::Workerpool,
                filters,
                page,
            };
            let mut expected: Vec<_> = records.iter().filter(|r| query.admits(r)).collect();
            expected.sort_by(|a, b| query.compare(a, b));
            assert_eq!(database.count(&query).await.unwrap(), expected.len() as u64);
            let found = database.orders(&query).await.unwrap();
            let wanted = expected.into_iter().skip(page.skip as usize).take(10);
            assert!(found.iter().eq(wanted), "seed {seed}: {query:?}");
        }
    }

    #[tokio::test]
    async fn sqlite_admits_what_the_rules_admit() {
        let database = Database::open("sqlite::memory:").await.unwrap();
        sql_admits_what_the_rule_admits(database, 1).await;
    }

    #[tokio::test]
    async fn postgres_admits_what_the_rules_admit() {
        let url = tools::need!(tools::postgres_database());
        let database = Database::open(&url).await.unwrap();
        sql_admits_what_the_rule_admits(database, 1).await;
    }

    #[test]
    fn every_column_of_a_record_is_bound() {
        let places = PUBLISH.matches('$').count();
        let record = Record {
            kind: Kind::App,
            hash: OrderHash::repeat(1),
            body: Map::new(),
            terms: terms(),
            signer: Address::ZERO,
            remaining: 0,
            status: Status::Open,
            published_ms: 0,
        };
        assert_eq!(publish_binds(&record).len(), places);
    }
}
