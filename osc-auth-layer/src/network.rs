//! Sends all HTTP requests of the crate. Returns a bounded answer or the kind of failure.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::{Host, Url};

use crate::clock::Clock;
use crate::error::ConfigError;
use crate::redact::with_causes;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of an answer, in time and in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

/// The limits for the provider. Token and metadata answers are far shorter than 64 KiB.
const PROVIDER: Limits = Limits { time: Duration::from_secs(10), bytes: 64 * 1024 };

/// A request as a value.
#[derive(Clone)]
pub(crate) struct WireRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<String>,
}

impl WireRequest {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]);
        Self { method, url, headers, body: None }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn body(mut self, content_type: &'static str, body: String) -> Self {
        self.body = Some(body);
        self.header(header::CONTENT_TYPE, HeaderValue::from_static(content_type))
    }
}

/// An answer with any status.
pub(crate) struct WireResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

impl WireResponse {
    /// Returns the server's time (RFC 9110 §6.6.1). `None` for an answer that a cache has kept for a while (RFC 9111 §5.1).
    pub(crate) fn date(&self) -> Option<SystemTime> {
        let date = self.headers.get(header::DATE)?.to_str().ok()?;
        if self.headers.contains_key(header::AGE) { None } else { httpdate::parse_http_date(date).ok() }
    }
}

/// The reason why there is no answer. The kinds differ in whether the server may have acted on the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum NetworkError {
    /// DNS, connect or TLS failed. The server did not get the request.
    NotSent,
    /// The connection broke after the request was sent. No answer can come any more.
    PossiblyProcessed,
    /// The time ran out after the request was sent. The server may still be working on it.
    TimedOut,
    /// The answer is longer than the limit.
    TooLong,
}

/// A request that got no answer.
pub(crate) struct Failure {
    pub(crate) kind: NetworkError,
    /// The cause for a log line: DNS, a refused connection, TLS, …
    pub(crate) cause: String,
}

/// An HTTP client that follows no redirects, never retries, and limits the time and the size of an answer.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl HttpClient {
    pub(crate) fn new(
        configure: Option<impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("osc-auth-layer/", env!("CARGO_PKG_VERSION")))
            // Close idle connections before the provider does. If it closes one under a request, the answer is lost.
            .pool_idle_timeout(Duration::from_secs(15));
        let builder = if let Some(configure) = configure { configure(builder) } else { builder };
        builder
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map(|client| Self { client, clock, limits: PROVIDER })
            .map_err(|error| {
                let problem = format!("does not give a usable HTTP client ({})", with_causes(&error.without_url()));
                let remedy = "Check the proxy and certificate settings. The system needs root certificates (Debian: \
                              ca-certificates).";
                ConfigError::invalid("configure_http", problem, remedy)
            })
    }

    /// Returns a client with the same connections and settings, but other limits.
    #[cfg(feature = "client")]
    pub(crate) fn with_limits(&self, limits: Limits) -> Self {
        Self { limits, ..self.clone() }
    }

    /// Returns the time that an answer may take.
    pub(crate) fn time(&self) -> Duration {
        self.limits.time
    }

    #[cfg(feature = "client")]
    pub(crate) async fn send(&self, request: WireRequest) -> Result<WireResponse, NetworkError> {
        self.send_explained(request, self.limits.time).await.map_err(|failure| failure.kind)
    }

    /// Sends a request whose answer may take up to `time`. A failure says why there is no answer.
    pub(crate) async fn send_explained(
        &self,
        request: WireRequest,
        time: Duration,
    ) -> Result<WireResponse, Failure> {
        let mut response = self.begin(request, time).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > self.limits.bytes {
                let cause = format!("the answer is longer than {} bytes", self.limits.bytes);
                return Err(Failure { kind: NetworkError::TooLong, cause });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(self.answer(response, body.freeze()))
    }

    /// Sends a request, and reads no more than status and headers: a page may be longer than the limit.
    pub(crate) async fn send_for_head(
        &self,
        request: WireRequest,
        time: Duration,
    ) -> Result<WireResponse, Failure> {
        let response = self.begin(request, time).await?;
        Ok(self.answer(response, Bytes::new()))
    }

    async fn begin(&self, request: WireRequest, time: Duration) -> Result<reqwest::Response, Failure> {
        let WireRequest { method, url, headers, body } = request;
        let builder = self.client.request(method, url).headers(headers).timeout(time);
        let builder = if let Some(body) = body { builder.body(body) } else { builder };
        builder.send().await.map_err(failure)
    }

    fn answer(&self, mut response: reqwest::Response, body: Bytes) -> WireResponse {
        let headers = std::mem::take(response.headers_mut());
        let delay = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = delay.and_then(|value| retry_after(value, self.clock.now()));
        WireResponse { status: response.status(), headers, retry_after, body }
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

fn failure(error: reqwest::Error) -> Failure {
    let kind = if error.is_connect() || error.is_builder() {
        NetworkError::NotSent
    } else if error.is_timeout() {
        NetworkError::TimedOut
    } else {
        NetworkError::PossiblyProcessed
    };
    // Without the URL, so that readers of the log need not wonder whether it contains a secret.
    let cause = with_causes(&error.without_url());
    tracing::debug!(error = %cause, ?kind, "a request got no answer");
    Failure { kind, cause }
}

/// Reads `Retry-After`: seconds or an HTTP date (RFC 9110 §10.2.3).
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Returns true if plain http is acceptable: `localhost`, `*.localhost` (RFC 6761 §6.3) and loopback addresses.
pub(crate) fn is_loopback_url(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        let seconds = |value| retry_after(value, now).map(|duration| duration.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:28:30 GMT"), Some(30));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:27:30 GMT"), Some(0));
        for nonsense in ["", "-1", "soon", "1e9", "99999999999999999999999"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }
}
