//! 100,000 open orders put into the tables at once: publishing them would take an hour, and is
//! measured by itself.

use protocol::{Address, B256, order::Kind};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

/// Of each of the four kinds.
const ORDERS_OF_A_KIND: usize = 25_000;
/// Rows in one statement.
const ROWS: usize = 50;
/// Price, volume, remaining, category, trust.
const NUMBERS: usize = 5;
/// One beyond the last exact integer.
const MANY: u64 = 1 << 53;

/// How many of each there are; the first of each is the busiest.
pub(super) const WALLETS: u64 = 2_000;
const APPS: u64 = 500;
const DATASETS: u64 = 500;
const POOLS: u64 = 50;

/// One row.
struct Row {
    texts: Vec<String>,
    numbers: [u64; NUMBERS],
    tag: u64,
    published: u64,
    body: Value,
}

/// The address of the `number`th actor of a sort.
pub(super) fn actor(sort: u8, number: u64) -> Address {
    let mut bytes = [sort; 20];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

pub(super) fn wallet(number: u64) -> Address {
    actor(0xee, number)
}

pub(super) fn app(number: u64) -> Address {
    actor(0xaa, number)
}

pub(super) fn dataset(number: u64) -> Address {
    actor(0xdd, number)
}

pub(super) fn pool(number: u64) -> Address {
    actor(0xbb, number)
}

/// A number below `n`, small ones much more often: some apps are in everybody's hands.
fn skewed(rng: &mut StdRng, n: u64) -> u64 {
    let unit: f64 = rng.r#gen();
    ((n as f64) * unit.powi(3)) as u64
}

/// Nobody mostly, sometimes a restriction.
fn restriction(rng: &mut StdRng, one: fn(u64) -> Address, n: u64) -> Address {
    if rng.gen_bool(0.2) {
        return one(skewed(rng, n));
    }
    Address::ZERO
}

fn row(kind: Kind, rng: &mut StdRng) -> Row {
    let role = |is_subject: bool, rng: &mut StdRng, one: fn(u64) -> Address, n| {
        if is_subject {
            return one(skewed(rng, n));
        }
        restriction(rng, one, n)
    };
    let request = kind == Kind::Request;
    let app_ = role(request || kind == Kind::App, rng, app, APPS);
    let dataset_ = role(kind == Kind::Dataset, rng, dataset, DATASETS);
    let pool_ = role(kind == Kind::Workerpool, rng, pool, POOLS);
    let requester = role(request, rng, wallet, WALLETS);
    let beneficiary = if request { requester } else { Address::ZERO };
    let signer = if request {
        requester
    } else {
        wallet(skewed(rng, WALLETS))
    };
    let bulk = kind == Kind::Dataset && rng.gen_bool(0.2);
    let volume = if bulk {
        MANY - 1
    } else {
        rng.gen_range(1..1000)
    };
    let price = if bulk { 0 } else { rng.gen_range(0..1_000_000) };
    let (category, trust) = (rng.gen_range(0..5), rng.gen_range(0..6));
    let tag = *[0u64, 0, 0, 1, 3, 9, 0x101]
        .get(rng.gen_range(0..7))
        .unwrap_or(&0);
    let price_name = match kind {
        Kind::Request => "workerpoolmaxprice".to_owned(),
        kind => format!("{}price", kind.name()),
    };
    let suffix = |subject: bool| if subject { "" } else { "restrict" };
    let mut body = json!({
        format!("app{}", suffix(request || kind == Kind::App)): app_.to_string(),
        format!("dataset{}", suffix(request || kind == Kind::Dataset)): dataset_.to_string(),
        format!("workerpool{}", suffix(request || kind == Kind::Workerpool)): pool_.to_string(),
        format!("requester{}", suffix(request)): requester.to_string(),
        "volume": volume, "category": category, "trust": trust,
        "tag": format!("0x{tag:064x}"), "salt": B256::from(rng.r#gen::<[u8; 32]>()),
        "sign": format!("0x{}", "11".repeat(65)),
    });
    body[&price_name] = price.into();
    if request {
        body["beneficiary"] = beneficiary.to_string().into();
        body["appmaxprice"] = price.into();
        body["datasetmaxprice"] = 0.into();
        body["params"] = "{\"iexec_args\":\"hello\"}".into();
    }
    let roles = [signer, app_, dataset_, pool_, requester, beneficiary];
    let hash = B256::from(rng.r#gen::<[u8; 32]>()).to_string();
    let mut texts = vec![hash, kind.name().to_owned(), "open".to_owned()];
    texts.extend(roles.map(|role| role.to_string()));
    Row {
        texts,
        numbers: [price, volume, volume, category, trust],
        tag,
        published: rng.gen_range(1_700_000_000_000..1_800_000_000_000),
        body,
    }
}

/// Fills the tables of a market that was opened once.
pub(super) async fn fill(url: &str) -> anyhow::Result<()> {
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(url).await?;
    let mut rng = StdRng::seed_from_u64(1);
    let mut tx = pool.begin().await?;
    for kind in Kind::ALL {
        for _ in 0..ORDERS_OF_A_KIND / ROWS {
            let rows: Vec<Row> = (0..ROWS).map(|_| row(kind, &mut rng)).collect();
            let sql = statement();
            let mut insert = sqlx::query(sqlx::AssertSqlSafe(sql));
            for row in rows {
                insert = row.texts.into_iter().fold(insert, |q, text| q.bind(text));
                insert = row
                    .numbers
                    .into_iter()
                    .fold(insert, |q, n| q.bind(n as i64));
                insert = insert.bind(row.tag as i64).bind(row.published as i64);
                insert = insert.bind(row.body.to_string());
            }
            insert.execute(&mut *tx).await?;
        }
    }
    tx.commit().await?;
    pool.close().await;
    Ok(())
}

fn statement() -> String {
    let texts_and_numbers = 9 + NUMBERS + 3;
    let row = |row: usize| {
        let first = row * texts_and_numbers + 1;
        let place = |n: usize| format!("${}", first + n);
        let mut places: Vec<String> = (0..15).map(place).collect();
        places.extend(["0".to_owned(), "0".to_owned(), "0".to_owned()]);
        places.extend([place(15), place(16)]);
        format!("({})", places.join(", "))
    };
    let rows: Vec<String> = (0..ROWS).map(row).collect();
    format!(
        "insert into market_orders (hash, kind, status, signer, app, dataset, workerpool, \
         requester, beneficiary, price, volume, remaining, category, trust, tag0, tag1, tag2, \
         tag3, published, body) values {}",
        rows.join(", ")
    )
}
