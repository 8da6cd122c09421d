//! Downloading input files: the one place where a requester's text decides where the worker
//! connects to (`design.md` §5).

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use protocol::Cause;
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use url::{Host, Url};

use crate::Failure;

/// Bytes of one input file.
const FILE_BYTES_MAX: u64 = 4 << 30;
/// A connection that does not come up within this is no connection.
const CONNECT_TIMEOUT_S: u64 = 20;
/// Silence on a download after which it is given up.
const READ_TIMEOUT_S: u64 = 60;
/// Redirections followed, each checked like the first URL.
const REDIRECTS_MAX: usize = 5;
/// Characters of a file name taken from a URL.
const NAME_CHARS_MAX: usize = 100;

/// Where inputs may come from.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Private, loopback and link-local addresses too.
    pub allow_private: bool,
    /// Where `ipfs://<cid>` and `/ipfs/<cid>` are fetched from.
    pub ipfs_gateway: Option<String>,
}

/// Downloads the files of `urls` into `folder` and returns their names, in the same order.
///
/// # Errors
/// [`Cause::InputFilesDownloadFailed`] names the URL and what went wrong.
pub async fn fetch_all(
    urls: &[String],
    folder: &Path,
    policy: &Policy,
) -> Result<Vec<String>, Failure> {
    let names = names(urls);
    if urls.is_empty() {
        return Ok(names);
    }
    let client = client(policy).map_err(|e| failed("", &e.to_string()))?;
    for (url, name) in urls.iter().zip(&names) {
        fetch(&client, url, &folder.join(name), policy)
            .await
            .map_err(|e| failed(url, &e))?;
    }
    Ok(names)
}

fn failed(url: &str, reason: &str) -> Failure {
    Failure::new(Cause::InputFilesDownloadFailed, format!("{url}: {reason}"))
}

/// The name each file gets in `IEXEC_IN`: the last part of its URL, as the tutorial says; made
/// distinct by its number when two are the same; the URL's hash when there is no usable name.
pub fn names(urls: &[String]) -> Vec<String> {
    let mut used = HashSet::new();
    let distinct = |(number, url): (usize, &String)| {
        let name = name_in(url).unwrap_or_else(|| format!("0x{:x}", Sha256::digest(url)));
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
        .or_else(|| text.strip_prefix("/ipfs/"));
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

async fn fetch(
    client: &reqwest::Client,
    text: &str,
    to: &Path,
    policy: &Policy,
) -> Result<(), String> {
    let (url, is_gateway) = locate(text, policy)?;
    if !is_gateway {
        check(&url, policy.allow_private)?;
    }
    let mut answer = client.get(url).send().await.map_err(|e| story(&e))?;
    if !answer.status().is_success() {
        return Err(format!("the server answered {}", answer.status()));
    }
    let mut file = tokio::fs::File::create(to)
        .await
        .map_err(|e| e.to_string())?;
    let mut size = 0u64;
    while let Some(chunk) = answer.chunk().await.map_err(|e| story(&e))? {
        size += chunk.len() as u64;
        if size > FILE_BYTES_MAX {
            return Err(format!("larger than {FILE_BYTES_MAX} bytes"));
        }
        file.write_all(&chunk).await.map_err(|e| e.to_string())?;
    }
    file.flush().await.map_err(|e| e.to_string())
}

fn story(error: &reqwest::Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut last = error.to_string();
    while let Some(error) = source {
        last = error.to_string();
        source = error.source();
    }
    last
}

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

    #[tokio::test]
    async fn files_arrive_and_404_is_told() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let app = axum::Router::new().route("/a.txt", axum::routing::get(|| async { "hello" }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let dir = tempfile::tempdir().unwrap();
        let policy = Policy {
            allow_private: true,
            ipfs_gateway: None,
        };
        let urls = vec![format!("{origin}/a.txt")];
        assert_eq!(
            fetch_all(&urls, dir.path(), &policy).await.unwrap(),
            ["a.txt"]
        );
        assert_eq!(std::fs::read(dir.path().join("a.txt")).unwrap(), b"hello");
        let missing = vec![format!("{origin}/b.txt")];
        let failure = fetch_all(&missing, dir.path(), &policy).await.unwrap_err();
        assert_eq!(failure.cause, Cause::InputFilesDownloadFailed);
        assert!(failure.message.contains("404"), "{failure}");
    }
}
