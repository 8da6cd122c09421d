//! Requests that make no sense, at every route of the one origin but those of the market and the
//! chain: they are refused with a reason, and change nothing.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use iexec_tests::bench::Bench;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Another number is another run; this one is repeated.
const SEED: u64 = 20_261_126;
/// Requests at each route.
const REQUESTS: usize = 120;
/// No refusal takes so long.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// From this size on, a server may hang up before it has read the body and our side may then lose
/// the answer to a reset.
const LARGE_BYTES: usize = 16 * 1024;

/// A route: its method, its path with `{}` for what varies, its query's fields, and whether some
/// of the requests that we make may well be served.
struct Route(&'static str, &'static str, &'static [&'static str], bool);

const ROUTES: &[Route] = &[
    Route("GET", "/ipfs/{}", &[], false),
    Route("HEAD", "/ipfs/{}", &[], false),
    Route(
        "POST",
        "/api/v0/add",
        &["cid-version", "only-hash", "chunker"],
        false,
    ),
    Route("POST", "/api/v0/cat", &["arg", "offset", "length"], false),
    Route("GET", "/results/challenge", &["chainId", "address"], true),
    Route("POST", "/results/login", &["chainId"], false),
    Route("POST", "/v1/results/token", &[], false),
    Route("POST", "/v1/results", &[], false),
    Route("PUT", "/v1/results/{}", &[], false),
    Route("HEAD", "/v1/results/{}", &[], false),
    Route("GET", "/v1/results/{}/ipfshash", &[], false),
    Route(
        "GET",
        "/tasks/logs/challenge",
        &["address", "chainId"],
        true,
    ),
    Route("GET", "/tasks/{}", &[], false),
    Route("GET", "/tasks/{}/replicates/{}", &[], false),
    Route("GET", "/tasks/{}/replicates/{}/logs", &[], false),
    Route("GET", "/tasks/{}/logs", &[], false),
    Route(
        "GET",
        "/tasks/{}/stream",
        &["authorization", "after"],
        false,
    ),
    Route("GET", "/workers", &["any"], true),
    Route("GET", "/workers/connect", &[], false),
    Route("GET", "/{}/workerpools/{}", &[], false),
    Route("HEAD", "/secrets/web3", &["secretAddress"], false),
    Route("POST", "/secrets/web3", &["secretAddress"], false),
    Route(
        "HEAD",
        "/secrets/web2",
        &["ownerAddress", "secretName"],
        false,
    ),
    Route(
        "POST",
        "/secrets/web2",
        &["ownerAddress", "secretName"],
        false,
    ),
    Route(
        "PUT",
        "/secrets/web2",
        &["ownerAddress", "secretName"],
        false,
    ),
    Route("HEAD", "/apps/{}/secrets", &[], false),
    Route("POST", "/apps/{}/secrets", &[], false),
    Route("HEAD", "/apps/{}/secrets/{}", &[], false),
    Route("POST", "/apps/{}/secrets/{}", &[], false),
    Route("HEAD", "/requesters/{}/secrets/{}", &[], false),
    Route("POST", "/requesters/{}/secrets/{}", &[], false),
    Route("GET", "/tee/framework", &["any"], true),
];

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "NONE",
];

/// Values for a part of a path or of a query.
fn value(rng: &mut StdRng) -> String {
    const VALUES: &[&str] = &[
        "",
        "0",
        "-1",
        "1e999",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "0x",
        "0X12",
        "null",
        "true",
        "{}",
        "..",
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/token.key",
        "..%5c..%5c",
        "%00",
        "%ff%fe",
        "%",
        "%zz",
        "%F0%9F%92%A5",
        "%E2%80%AEtxt",
        "a%0d%0aSet-Cookie:%20x",
        "';DROP%20TABLE%20tasks;--",
        "0x0000000000000000000000000000000000000000",
        "0xaa7d95fcB8AC8B7ad08D4Ce2F948B8b89CeAeb57",
        "0xAA7D95FCB8AC8B7AD08D4CE2F948B8B89CEAEB57",
        "aa7d95fcb8ac8b7ad08d4ce2f948b8b89ceaeb57",
        "0x1111111111111111111111111111111111111111111111111111111111111111",
        "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG/",
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "65535",
    ];
    match rng.gen_range(0..12) {
        0 => "9".repeat(rng.gen_range(1..4_000)),
        1 => (0..rng.gen_range(1..80))
            .map(|_| format!("%{:02x}", rng.r#gen::<u8>()))
            .collect(),
        _ => VALUES.choose(rng).copied().unwrap_or_default().to_owned(),
    }
}

fn query(rng: &mut StdRng, fields: &[&str]) -> String {
    let mut parts = Vec::new();
    for field in fields {
        // Missing, once or twice.
        for _ in 0..[0, 1, 1, 1, 2][rng.gen_range(0..5)] {
            parts.push(format!("{field}={}", value(rng)));
        }
    }
    match rng.gen_range(0..6) {
        0 => parts.push(format!("extra={}", value(rng))),
        1 => parts.push("&&=&".to_owned()),
        _ => {}
    }
    match parts.is_empty() {
        true => String::new(),
        false => format!("?{}", parts.join("&")),
    }
}

fn body(rng: &mut StdRng) -> Vec<u8> {
    const BODIES: &[&str] = &[
        "",
        "{",
        "null",
        "[]",
        "{}",
        "\"text\"",
        "0xab_0xcd_0xef",
        r#"{"chainTaskId":7,"zip":{}}"#,
        r#"{"chainTaskId":"0x11","dealId":null,"zip":"!!"}"#,
        r#"{"workerWallet":"0x1","chainTaskId":[],"enclaveChallenge":{},"signature":-1}"#,
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../x\"\r\n\r\nhalf",
    ];
    match rng.gen_range(0..8) {
        0 => (0..rng.gen_range(0..300)).map(|_| rng.r#gen()).collect(),
        1 => "[".repeat(10_000).into_bytes(),
        2 => vec![b'a'; rng.gen_range(60_000..200_000)],
        _ => BODIES.choose(rng).copied().unwrap_or_default().into(),
    }
}

fn headers(rng: &mut StdRng) -> String {
    const AUTHORIZATIONS: &[&str] = &[
        "",
        "Bearer ",
        "Bearer a.b.c",
        "0x00",
        "a_b_c",
        "eyJhbGciOiJub25lIn0.eyJhdWQiOiIweDEifQ.",
        "_____",
    ];
    const TYPES: &[&str] = &[
        "application/json",
        "text/plain; charset=utf-16",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "nonsense",
    ];
    let mut lines = String::new();
    match rng.gen_range(0..4) {
        0 => {}
        // Of the right form, signed by nobody.
        1 => {
            lines += &format!(
                "Authorization: 0x{}_0x{}1b_0xaa7d95fcB8AC8B7ad08D4Ce2F948B8b89CeAeb57\r\n",
                "11".repeat(32),
                "22".repeat(64)
            )
        }
        2 => lines += &format!("Authorization: 0x{}1b\r\n", "33".repeat(64)),
        _ => {
            let text = AUTHORIZATIONS.choose(rng).copied().unwrap_or_default();
            lines += &format!("Authorization: {text}\r\n");
        }
    }
    if rng.gen_bool(0.7) {
        let text = TYPES.choose(rng).copied().unwrap_or_default();
        lines += &format!("Content-Type: {text}\r\n");
    }
    if rng.gen_bool(0.2) {
        lines += "Range: bytes=-99999999999999999999\r\nIf-None-Match: *\r\n";
    }
    lines
}

/// One request as it goes over the wire.
struct Request {
    head: String,
    body: Vec<u8>,
    method: &'static str,
}

fn request(rng: &mut StdRng, route: &Route) -> Request {
    let Route(method, template, fields, _) = route;
    let mut path = String::new();
    for (number, piece) in template.split("{}").enumerate() {
        if number > 0 {
            path += &value(rng);
        }
        path += piece;
    }
    path += &query(rng, fields);
    let method = match rng.gen_bool(0.1) {
        true => METHODS.choose(rng).copied().unwrap_or(method),
        false => method,
    };
    let body = match method {
        "GET" | "HEAD" => Vec::new(),
        _ => body(rng),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n",
        body.len(),
        headers(rng)
    );
    Request { head, body, method }
}

/// The status and the body of an answer; none when a large body made the server hang up.
async fn ask(address: &str, request: &Request) -> Result<Option<(u16, String)>> {
    let mut stream = TcpStream::connect(address).await?;
    let mut bytes = request.head.clone().into_bytes();
    bytes.extend(&request.body);
    let sent = stream.write_all(&bytes).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    if answer.is_empty() && request.body.len() >= LARGE_BYTES && (sent.is_err() || read.is_err()) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&answer);
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("no answer but {text:?}"))?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(Some((status, body.to_owned())))
}

/// Why an answer is not as a refusal should be.
fn judge(route: &Route, request: &Request, status: u16, body: &str) -> Result<()> {
    let Route(method, _, _, is_open) = route;
    let asked = [*method, "HEAD"].contains(&request.method);
    if *is_open && asked && status == 200 {
        return Ok(());
    }
    ensure!((400..500).contains(&status), "it is answered");
    if body.is_empty() {
        return Ok(());
    }
    let said: Value = serde_json::from_str(body).context("not JSON")?;
    let reason = [&said["error"], &said["error"][0], &said["Message"]];
    let is_told = reason.iter().any(|reason| reason.is_string());
    ensure!(is_told, "no reason");
    Ok(())
}

/// Names and sizes of all files below a folder.
fn files(folder: &Path) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.insert(entry.path().display().to_string(), entry.metadata()?.len());
        }
    }
    Ok(found)
}

/// What must stay as it is: results, secrets and the chain.
async fn state(bench: &Bench, rpc: &str) -> Result<(BTreeMap<String, u64>, Value)> {
    let mut found = files(&bench.data_dir().join("store"))?;
    found.extend(files(&bench.data_dir().join("secrets"))?);
    let ask = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber" });
    let client = reqwest::Client::new();
    let answer: Value = client.post(rpc).json(&ask).send().await?.json().await?;
    Ok((found, answer["result"].clone()))
}

pub(crate) async fn nothing_comes_of_nonsense(bench: Bench) -> Result<()> {
    let world = bench.network(1).await?;
    let rpc = world.network.info().rpc_url.clone();
    let address = rpc.trim_start_matches("http://");
    let before = state(&bench, &rpc).await?;
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut wrong = Vec::new();
    for route in ROUTES {
        for _ in 0..REQUESTS {
            let request = request(&mut rng, route);
            let answer = tokio::time::timeout(ANSWER_MAX, ask(address, &request)).await;
            let judged = match answer.context("no answer in time").flatten() {
                Ok(Some((status, body))) => judge(route, &request, status, &body)
                    .with_context(|| format!("{status} {body}")),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = judged {
                wrong.push(format!("{}\n{error:?}", request.head));
            }
        }
    }
    let (count, few) = (wrong.len(), wrong.iter().take(10));
    let few: Vec<&str> = few.map(String::as_str).collect();
    ensure!(
        count == 0,
        "{count} answers are wrong, e.g.\n{}",
        few.join("\n")
    );
    ensure!(
        state(&bench, &rpc).await? == before,
        "something was changed"
    );
    world.stop().await
}
