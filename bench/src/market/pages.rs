//! Every filter of the books (spec/market-explorer.md §8), at the first page and deep in the list.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    Market, PAGE_TARGET,
    book::{app, dataset, pool, wallet},
};
use crate::stats::{percentile, say};

/// Pages asked for with each filter.
const SAMPLES: usize = 200;
/// Orders on a page: the default of upstream.
const PAGE_SIZE: u64 = 20;

/// The queries, without chain and page.
fn queries() -> Vec<String> {
    let any = "dataset=any&workerpool=any&requester=any";
    let [one, some] = [0, 40].map(wallet);
    let tags = |bits: u64| format!("0x{bits:064x}");
    vec![
        format!("apporders?app={}", app(0)),
        format!("apporders?app=any&appOwner={one}&{any}"),
        "apporders?app=any".to_owned(),
        format!("apporders?app=any&{any}"),
        format!("apporders?app=any&dataset={}&workerpool=any", dataset(0)),
        format!(
            "apporders?app=any&workerpool={}&isWorkerpoolStrict=true&{}",
            pool(0),
            "dataset=any&requester=any"
        ),
        format!(
            "apporders?app=any&requester={some}&isRequesterStrict=true&{}",
            "dataset=any&workerpool=any"
        ),
        format!(
            "apporders?app=any&{any}&minTag={}&maxTag={}",
            tags(1),
            tags(3)
        ),
        format!("apporders?app=any&{any}&minVolume=900"),
        format!("datasetorders?dataset={}", dataset(0)),
        format!("datasetorders?dataset=any&datasetOwner={one}&app=any"),
        "datasetorders?dataset=any&app=any&workerpool=any&requester=any".to_owned(),
        "datasetorders?dataset=any&app=any&bulkOnly=true".to_owned(),
        format!("datasetorders?dataset=any&app={}&isAppStrict=true", app(0)),
        "workerpoolorders?".to_owned(),
        "workerpoolorders?app=any&dataset=any&requester=any".to_owned(),
        format!("workerpoolorders?workerpool={}", pool(0)),
        format!("workerpoolorders?workerpoolOwner={one}&app=any&dataset=any"),
        "workerpoolorders?category=3&minTrust=3&minVolume=500".to_owned(),
        format!(
            "workerpoolorders?app={}&dataset={}&requester={some}&category=2&minTag={}",
            app(0),
            dataset(0),
            tags(1)
        ),
        format!("workerpoolorders?maxTag={}", tags(0)),
        "requestorders?workerpool=any".to_owned(),
        "requestorders?".to_owned(),
        format!("requestorders?app={}&workerpool=any", app(0)),
        format!("requestorders?dataset={}&workerpool=any", dataset(0)),
        format!("requestorders?requester={one}&workerpool=any"),
        format!("requestorders?beneficiary={one}&workerpool=any"),
        format!("requestorders?workerpool={}&category=1&maxTrust=2", pool(0)),
        "requestorders?workerpool=any&minVolume=990".to_owned(),
    ]
}

/// Prints p50 and p99 of each filter.
pub(super) async fn measure(name: &str, market: &Market, chain_id: u64) -> anyhow::Result<()> {
    say(&format!(
        "{name}: pages of 100,000 open orders over HTTP, target p99 < {} ms",
        PAGE_TARGET.as_millis()
    ));
    say(&format!(
        "{:>9} {:>9}  {:>7}  filter",
        "p50 ms", "p99 ms", "matches"
    ));
    let mut worst = Duration::ZERO;
    for query in queries() {
        let (count, times) = ask(market, &format!("{query}&chainId={chain_id}")).await?;
        let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
        worst = worst.max(p99);
        let shown = shorten(&query);
        say(&format!(
            "{:>9.2} {:>9.2}  {count:>7}  {shown}",
            ms(p50),
            ms(p99)
        ));
    }
    let verdict = if worst < PAGE_TARGET { "met" } else { "missed" };
    say(&format!(
        "{name}: worst p99 {:.2} ms: target {verdict}",
        ms(worst)
    ));
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// How many match, and the times of the first page and of others anywhere in the list.
async fn ask(market: &Market, query: &str) -> anyhow::Result<(u64, Vec<Duration>)> {
    let path = |page: u64| format!("/{query}&pageIndex={page}&pageSize={PAGE_SIZE}");
    let first = market.get(&path(0)).await?;
    let count = first["count"].as_u64().unwrap_or_default();
    let mut rng = StdRng::seed_from_u64(count);
    let mut times = Vec::new();
    for sample in 0..SAMPLES {
        let page = match sample % 4 {
            0 => 0,
            _ => rng.gen_range(0..=count / PAGE_SIZE),
        };
        let start = Instant::now();
        market.get(&path(page)).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok((count, times))
}

/// Addresses and tags by their last letters.
fn shorten(query: &str) -> String {
    let part = |part: &str| match part.split_once("=0x") {
        Some((name, value)) if value.len() > 12 => {
            format!("{name}=…{}", &value[value.len() - 4..])
        }
        _ => part.to_owned(),
    };
    query.split('&').map(part).collect::<Vec<_>>().join("&")
}
