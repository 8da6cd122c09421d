//! Requests per client address in a fixed window (spec/market-explorer.md §2).

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{Clock, Config, config::RateLimit, refusal::Refusal};

/// Addresses counted in a window; beyond, newcomers are not counted rather than refused.
const ADDRESSES_MAX: usize = 100_000;

/// Counts requests. Behind a proxy the client's address is the one the proxy tells, if the
/// operator trusts that proxy.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: Option<RateLimit>,
    trusted: Vec<IpAddr>,
    unlimited: Vec<IpAddr>,
    clock: Clock,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    end_ms: i64,
    requests: HashMap<IpAddr, u64>,
}

/// Where a client stands in its window.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    remaining: Option<u64>,
    end_ms: i64,
}

impl Limiter {
    pub(super) fn new(config: &Config, clock: Clock) -> Self {
        Self {
            limit: config.rate_limit,
            trusted: config.trusted_proxies.clone(),
            unlimited: config.unlimited_clients.clone(),
            clock,
            window: Mutex::default(),
        }
    }

    /// Who is counted; none when nobody is.
    fn client(&self, request: &Request) -> Option<IpAddr> {
        let ConnectInfo(socket) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
        let ip = socket.ip();
        let client = if self.trusted.contains(&ip) {
            self.told(request.headers()).unwrap_or(ip)
        } else if ip.is_loopback() {
            return None;
        } else {
            ip
        };
        (!self.unlimited.contains(&client)).then_some(client)
    }

    /// What a trusted proxy tells of its client. Of a chain of proxies, the last that is not
    /// trusted: whatever stands before it, the client may have written itself.
    fn told(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let text = |name| headers.get(name)?.to_str().ok();
        let real = text("x-real-ip").and_then(|ip| ip.trim().parse().ok());
        real.or_else(|| {
            // a proxy may add a line of its own instead of lengthening the one that came
            let lines = headers.get_all("x-forwarded-for").iter().rev();
            let lines = lines.map_while(|line| line.to_str().ok());
            let chain = lines.flat_map(|line| line.rsplit(','));
            let mut hops = chain.map_while(|ip| ip.trim().parse().ok());
            hops.find(|ip| !self.trusted.contains(ip))
        })
    }

    fn count(&self, limit: RateLimit, client: IpAddr, now_ms: i64) -> Standing {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms >= window.end_ms {
            window.requests.clear();
            let period = i64::try_from(limit.period_ms).unwrap_or(i64::MAX);
            window.end_ms = now_ms.saturating_add(period);
        }
        let end_ms = window.end_ms;
        if window.requests.len() >= ADDRESSES_MAX && !window.requests.contains_key(&client) {
            return Standing {
                remaining: Some(0),
                end_ms,
            };
        }
        let count = window.requests.entry(client).or_default();
        *count = count.saturating_add(1);
        let remaining = limit.max.checked_sub(*count);
        Standing { remaining, end_ms }
    }
}

/// Refuses what is over the limit; loopback and unknown sockets are not counted.
pub(super) async fn limit(
    State(limiter): State<Arc<Limiter>>,
    request: Request,
    next: Next,
) -> Response {
    let Some((limit, client)) = limiter.limit.zip(limiter.client(&request)) else {
        return next.run(request).await;
    };
    let now_ms = limiter.clock.now_ms();
    let standing = limiter.count(limit, client, now_ms);
    let mut response = if standing.remaining.is_some() {
        next.run(request).await
    } else {
        let wait_ms = u64::try_from(standing.end_ms - now_ms).unwrap_or_default();
        Refusal::TooMany(wait_ms.div_ceil(1000)).into_response()
    };
    tell(response.headers_mut(), limit, &standing);
    response
}

fn tell(headers: &mut HeaderMap, limit: RateLimit, standing: &Standing) {
    headers.insert("x-ratelimit-limit", limit.max.into());
    let remaining = standing.remaining.unwrap_or_default();
    headers.insert("x-ratelimit-remaining", remaining.into());
    let reset = format!("{}.{:03}", standing.end_ms / 1000, standing.end_ms % 1000);
    if let Ok(reset) = HeaderValue::from_str(&reset) {
        headers.insert("x-ratelimit-reset", reset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    const LIMIT: RateLimit = RateLimit {
        max: 2,
        period_ms: 1000,
    };

    fn limiter(trusted: Vec<IpAddr>) -> Limiter {
        let mut config = Config::new("", 1);
        config.rate_limit = Some(LIMIT);
        config.trusted_proxies = trusted;
        Limiter::new(&config, Clock::new(|| 0))
    }

    #[test]
    fn a_window_ends_and_starts_again() {
        let (limiter, client) = (limiter(vec![]), IpAddr::from([10, 0, 0, 1]));
        let left: Vec<_> = [0, 1, 2, 999, 1000]
            .map(|now| limiter.count(LIMIT, client, now).remaining)
            .into();
        assert_eq!(left, [Some(1), Some(0), None, None, Some(1)]);
        let other = IpAddr::from([10, 0, 0, 2]);
        assert_eq!(limiter.count(LIMIT, other, 1001).remaining, Some(1));
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let from = |ip: [u8; 4]| {
            let mut request = Request::new(Body::empty());
            request
                .extensions_mut()
                .insert(ConnectInfo(SocketAddr::from((ip, 1))));
            let told = HeaderValue::from_static("1.2.3.4, 10.9.9.9, 10.0.0.1");
            request.headers_mut().insert("x-forwarded-for", told);
            request
        };
        let proxy = [10, 0, 0, 1];
        let limiter = limiter(vec![proxy.into()]);
        assert_eq!(limiter.client(&from(proxy)), Some([10, 9, 9, 9].into()));
        assert_eq!(
            limiter.client(&from([10, 0, 0, 2])),
            Some([10, 0, 0, 2].into())
        );
        assert_eq!(limiter.client(&from([127, 0, 0, 1])), None);
        let mut lines = from(proxy);
        let own = HeaderValue::from_static("10.8.8.8");
        lines.headers_mut().append("x-forwarded-for", own);
        assert_eq!(limiter.client(&lines), Some([10, 8, 8, 8].into()));
        let mut free = self::limiter(vec![proxy.into()]);
        free.unlimited = vec![[10, 9, 9, 9].into()];
        assert_eq!(free.client(&from(proxy)), None);
    }
}
