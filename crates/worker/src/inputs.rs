//! Downloading input files and datasets: the one place where a stranger's text decides where the
//! worker connects to (`design.md` §5).

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use chain::DatasetInfo;
use protocol::{Cause, digest, multiaddr};
use reqwest::{
    Response,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use url::{Host, Url};

use crate::{
    Failure,
    output::hash_file,
    retry::{self, Fault, Tries},
};

/// Bytes of one input file.
const FILE_BYTES_MAX: u64 = 4 << 30;
/// Bytes of all input files of a task.
const TASK_BYTES_MAX: u64 = 16 << 30;
/// A connection that does not come up within this is no connection.
const CONNECT_TIMEOUT_S: u64 = 20;
/// Silence on a download after which it is given up.
const READ_TIMEOUT_S: u64 = 60;
/// Redirections followed, each checked like the first URL.
const REDIRECTS_MAX: usize = 5;
/// Characters of a file name taken from a URL.
const NAME_CHARS_MAX: usize = 100;

/// Where inputs may come from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Private, loopback and link-local addresses too.
    pub allow_private: bool,
    /// Where `ipfs://<cid>` and `/ipfs/<cid>` are fetched from.
    pub ipfs_gateway: Option<String>,
}

/// Downloads the files of `urls` into `folder` and returns their names, in the same order. They
/// are stored as they come, nothing is unpacked. What may pass is tried again until `deadline`.
///
/// # Errors
/// [`Cause::InputFilesDownloadFailed`] names the URL and what went wrong.
pub async fn fetch_all(
    urls: &[String],
    folder: &Path,
    policy: &Policy,
    deadline: Instant,
) -> Result<Vec<String>, Failure> {
    let clock = &retry::System;
    let tries = Tries { clock, deadline };
    fetch_bounded(urls, folder, policy, tries, FILE_BYTES_MAX, TASK_BYTES_MAX).await
}

/// Downloads the dataset of a standard task into `folder`, under its address: what
/// `IEXEC_DATASET_FILENAME` says. It is given as it lies there, an encrypted one too: its key is
/// for enclaves only. Without a checksum on chain any file is the right one, as upstream.
///
/// # Errors
/// [`Cause::DatasetFileDownloadFailed`], [`Cause::DatasetFileBadChecksum`].
pub async fn fetch_dataset(
    dataset: &DatasetInfo,
    folder: &Path,
    policy: &Policy,
    deadline: Instant,
) -> Result<(), Failure> {
    let clock = &retry::System;
    let tries = Tries { clock, deadline };
    let url = multiaddr::location(&dataset.multiaddr);
    let failed =
        |reason: String| Failure::new(Cause::DatasetFileDownloadFailed, format!("{url}: {reason}"));
    let client = client(policy).map_err(|e| failed(e.to_string()))?;
    let to = folder.join(dataset.address.to_checksum(None));
    let fetched = tries.run(&url, || fetch(&client, &url, &to, policy, FILE_BYTES_MAX));
    fetched.await.map_err(|e| failed(e.to_string()))?;
    let hashed = tokio::task::spawn_blocking(move || hash_file(&to)).await;
    let found = hashed.map_err(io::Error::other).flatten();
    let found = found.map_err(|e| failed(e.to_string()))?;
    if dataset.checksum.is_zero() || found == dataset.checksum {
        return Ok(());
    }
    let expected = dataset.checksum;
    let message = format!("{url} has the checksum {found}, on chain it is {expected}");
    Err(Failure::new(Cause::DatasetFileBadChecksum, message))
}

async fn fetch_bounded(
    urls: &[String],
    folder: &Path,
    policy: &Policy,
    tries: Tries<'_>,
    file_bytes_max: u64,
    task_bytes_max: u64,
) -> Result<Vec<String>, Failure> {
    let names = names(urls);
    if urls.is_empty() {
        return Ok(names);
    }
    let client = client(policy).map_err(|e| failed("", &e.to_string()))?;
    let mut bytes_left = task_bytes_max;
    for (url, name) in urls.iter().zip(&names) {
        let bytes_max = bytes_left.min(file_bytes_max);
        let to = folder.join(name);
        let fetched = tries.run(url, || fetch(&client, url, &to, policy, bytes_max));
        bytes_left -= fetched.await.map_err(|e| failed(url, &e))?;
    }
    Ok(names)
}

fn failed(url: &str, reason: &str) -> Failure {
    Failure::new(Cause::InputFilesDownloadFailed, format!("{url}: {reason}"))
}

/// Fetches one file after the other to where the caller wants it, by the rules of [`fetch_all`].
#[derive(Debug)]
pub struct Fetcher<'a> {
    client: reqwest::Client,
    policy: &'a Policy,
    deadline: Instant,
}

impl<'a> Fetcher<'a> {
    /// Everything it fetches has to be there at `deadline`.
    ///
    /// # Errors
    /// The system's, when there is no client for HTTPS.
    pub fn new(policy: &'a Policy, deadline: Instant) -> Result<Self, String> {
        Ok(Self {
            client: client(policy).map_err(|e| e.to_string())?,
            policy,
            deadline,
        })
    }

    /// Stores what is at `url` in the file `to`, at most `bytes_max` and never more than any input
    /// file may have; returns how many bytes there were.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub async fn fetch(&self, url: &str, to: &Path, bytes_max: u64) -> Result<u64, String> {
        let clock = &retry::System;
        let deadline = self.deadline;
        let bytes_max = bytes_max.min(FILE_BYTES_MAX);
        let once = || fetch(&self.client, url, to, self.policy, bytes_max);
        Tries { clock, deadline }.run(url, once).await
    }
}

/// The name each file gets in `IEXEC_IN`: the last part of its URL, as the tutorial says; made
/// distinct by its number when two are the same; the URL's hash when there is no usable name.
pub fn names(urls: &[String]) -> Vec<String> {
    let mut used = HashSet::new();
    let distinct = |(number, url): (usize, &String)| {
        let name = name_in(url).unwrap_or_else(|| format!("{:#x}", digest::file(url.as_bytes())));
        let name = if used.contains(&name) {
            format!("{number}-{name}")
        } else {
            name
        };
        used.insert(name.clone());
        name
    };
    (1..).zip(urls).map(distinct).collect()
}

fn name_in(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let last = url.path_segments()?.next_back()?;
    let name = percent_decode(last)?;
    let plain = |c: char| c.is_alphanumeric() || " ._-+()@=,".contains(c);
    let usable = !name.is_empty() && !name.starts_with('.') && name.chars().all(plain);
    (usable && name.chars().count() <= NAME_CHARS_MAX).then_some(name)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn client(policy: &Policy) -> reqwest::Result<reqwest::Client> {
    let allow_private = policy.allow_private;
    let follow = move |attempt: redirect::Attempt<'_>| {
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.error("too many redirections");
        }
        match check(attempt.url(), allow_private) {
            Ok(()) => attempt.follow(),
            Err(reason) => attempt.error(reason),
        }
    };
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_S))
        .read_timeout(Duration::from_secs(READ_TIMEOUT_S))
        .redirect(redirect::Policy::custom(follow))
        // What a server packed is stored packed: nobody says how large it would become.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .dns_resolver(Arc::new(Guarded { allow_private }))
        .build()
}

/// Whether we may connect to a URL, as far as the URL itself tells; names are checked again when
/// they are resolved.
fn check(url: &Url, allow_private: bool) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "`{}` URLs are not allowed, only http and https",
            url.scheme()
        ));
    }
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err("the URL has no host".into()),
    };
    if allow_private || is_public(ip) {
        return Ok(());
    }
    Err(format!("{ip} is not a public address"))
}

/// An address of the open internet: nothing of this machine or its neighbours.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special =
                a == 0 || a >= 240 || (a == 192 && b == 0) || (a == 198 && b & 0xfe == 18);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_documentation()
                || shared
                || special)
        }
        IpAddr::V6(ip) => {
            if let Some(v4) = ip.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            // 2000::/3 is all that is global unicast; 2002::/16 and 64:ff9b::/96 wrap IPv4.
            ip.segments()[0] & 0xe000 == 0x2000 && ip.segments()[0] != 0x2002
        }
    }
}

/// Resolves names and drops the addresses we must not connect to.
struct Guarded {
    allow_private: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found
                .filter(|a| allow_private || is_public(a.ip()))
                .collect();
            if allowed.is_empty() {
                let reason = format!("`{}` has no public address", name.as_str());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The URL to ask for `text`: itself, or the gateway's for an IPFS path.
fn locate(text: &str, policy: &Policy) -> Result<(Url, bool), String> {
    let cid = text
        .strip_prefix("ipfs://")
        .or_else(|| text.strip_prefix("/ipfs/"))
        // The same, as it comes back from a multiaddress.
        .or_else(|| text.strip_prefix("/p2p/"));
    let Some(cid) = cid else {
        let url = Url::parse(text).map_err(|e| format!("not a URL: {e}"))?;
        return Ok((url, false));
    };
    let gateway = policy
        .ipfs_gateway
        .as_deref()
        .ok_or("no IPFS gateway is configured")?;
    let url = format!("{}/ipfs/{cid}", gateway.trim_end_matches('/'));
    Ok((
        Url::parse(&url).map_err(|e| format!("not an IPFS path: {e}"))?,
        true,
    ))
}

/// Returns how many bytes were fetched.
async fn fetch(
    client: &reqwest::Client,
    text: &str,
    to: &Path,
    policy: &Policy,
    bytes_max: u64,
) -> Result<u64, Fault> {
    let (url, is_gateway) = locate(text, policy).map_err(Fault::lasting)?;
    if !is_gateway {
        check(&url, policy.allow_private).map_err(Fault::lasting)?;
    }
    let answer = client.get(url).send().await;
    let answer = answer.map_err(|e| Fault::of_error(&e))?;
    if !answer.status().is_success() {
        let reason = format!("the server answered {}", answer.status());
        return Err(Fault::of_answer(&answer, reason));
    }
    // What a server says of the length may be a lie, but not one to its own advantage.
    if answer
        .content_length()
        .is_some_and(|length| length > bytes_max)
    {
        return Err(too_large(bytes_max));
    }
    store(answer, to, bytes_max).await
}

fn too_large(bytes_max: u64) -> Fault {
    Fault::lasting(format!("larger than {bytes_max} bytes"))
}

async fn store(mut answer: Response, to: &Path, bytes_max: u64) -> Result<u64, Fault> {
    let disk = |e: io::Error| Fault::lasting(e.to_string());
    // What an earlier try left is cut away.
    let mut file = tokio::fs::File::create(to).await.map_err(disk)?;
    let mut size = 0u64;
    while let Some(chunk) = answer.chunk().await.map_err(|e| Fault::of_error(&e))? {
        size += chunk.len() as u64;
        if size > bytes_max {
            return Err(too_large(bytes_max));
        }
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    Ok(size)
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;

    fn named(urls: &[&str]) -> Vec<String> {
        names(&urls.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_the_tutorials() {
        let urls = [
            "https://example.com/file-A.txt",
            "https://example.com/file-B.zip?x=1#y",
        ];
        assert_eq!(named(&urls), ["file-A.txt", "file-B.zip"]);
        assert_eq!(named(&["https://e.com/my%20file.txt"]), ["my file.txt"]);
    }

    #[test]
    fn names_are_distinct_and_harmless() {
        assert_eq!(named(&["http://a/x", "http://b/x"]), ["x", "2-x"]);
        for odd in [
            "http://a/",
            "http://a/..%2f..%2fetc",
            "http://a/.hidden",
            "http://a/%00",
        ] {
            assert!(named(&[odd])[0].starts_with("0x"), "{odd}");
        }
    }

    #[test]
    fn only_public_addresses_by_default() {
        let refused = [
            "http://127.0.0.1/x",
            "http://10.0.0.1/x",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fe80::1]/",
            "file:///etc/passwd",
            "ftp://example.com/x",
            "http://2130706433/",
        ];
        for url in refused {
            assert!(check(&Url::parse(url).unwrap(), false).is_err(), "{url}");
        }
        assert!(check(&Url::parse("https://1.1.1.1/x").unwrap(), false).is_ok());
        assert!(check(&Url::parse("http://127.0.0.1/x").unwrap(), true).is_ok());
        assert!(check(&Url::parse("file:///etc/passwd").unwrap(), true).is_err());
    }

    #[tokio::test]
    async fn names_that_resolve_to_this_machine_are_refused() {
        let guard = Guarded {
            allow_private: false,
        };
        let error = guard
            .resolve("localhost".parse().unwrap())
            .await
            .err()
            .unwrap();
        assert!(error.to_string().contains("no public address"), "{error}");
    }
}
