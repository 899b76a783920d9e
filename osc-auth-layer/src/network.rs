//! The one place that sends requests: a request's value in, a bounded answer or a kind of failure out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::clock::Clock;
use crate::config::ConfigError;
use crate::redact::line;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take, and how long it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

impl Limits {
    /// 64 KiB are far above any token or metadata answer; what is longer is nonsense.
    pub(crate) const PROVIDER: Self = Self { time: Duration::from_secs(10), bytes: 64 * 1024 };
}

/// A request, as a value.
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

/// What was answered, whatever the status.
pub(crate) struct WireResponse {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// Why there is no answer. What matters is whether the other side may have acted on the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum NetworkError {
    /// DNS, connect or TLS failed: the request was not seen.
    NotSent,
    /// It was sent, and then the connection broke: no answer can come any more.
    PossiblyProcessed,
    /// It was sent, and the time ran out: the other side may still be at it.
    TimedOut,
    /// It was sent, and the answer was longer than any that makes sense.
    TooLong,
}

/// Follows no redirect, waits for a bounded time, reads a bounded body and never retries.
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
            // Providers close idle connections too; one they close under a request costs that request its answer.
            .pool_idle_timeout(Duration::from_secs(15));
        let builder = match configure {
            Some(configure) => configure(builder),
            None => builder,
        };
        builder
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map(|client| Self { client, clock, limits: Limits::PROVIDER })
            .map_err(|error| {
                let problem = format!("gives no usable HTTP client ({})", with_causes(&error.without_url()));
                let remedy = "check the proxy and certificate settings, and that the system has root certificates \
                              (Debian: ca-certificates)";
                ConfigError::invalid("configure_http", problem, remedy)
            })
    }

    /// The same connections and settings, for answers of another kind.
    #[cfg(feature = "client")]
    pub(crate) fn with_limits(&self, limits: Limits) -> Self {
        Self { limits, ..self.clone() }
    }

    pub(crate) async fn send(&self, request: WireRequest) -> Result<WireResponse, NetworkError> {
        self.send_within(request, self.limits.time).await
    }

    /// Sends a request whose answer may take this long.
    pub(crate) async fn send_within(
        &self,
        request: WireRequest,
        time: Duration,
    ) -> Result<WireResponse, NetworkError> {
        let WireRequest { method, url, headers, body } = request;
        let builder = self.client.request(method, url).headers(headers).timeout(time);
        let builder = match body {
            Some(body) => builder.body(body),
            None => builder,
        };
        let mut response = builder.send().await.map_err(failure)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > self.limits.bytes {
                return Err(NetworkError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(WireResponse {
            status: response.status(),
            retry_after: response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| retry_after(value, self.clock.now())),
            body: body.freeze(),
        })
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

fn failure(error: reqwest::Error) -> NetworkError {
    let kind = if error.is_connect() || error.is_builder() {
        NetworkError::NotSent
    } else if error.is_timeout() {
        NetworkError::TimedOut
    } else {
        NetworkError::PossiblyProcessed
    };
    // The URL holds nothing secret, but nobody has to prove that to the reader of a log.
    tracing::debug!(error = %with_causes(&error.without_url()), ?kind, "no answer");
    kind
}

/// reqwest's own message names only the step that failed; the causes say why.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    line(&causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")), 500)
}

/// RFC 9110 §10.2.3: seconds, or an HTTP date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_nonsense_is_nothing() {
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
