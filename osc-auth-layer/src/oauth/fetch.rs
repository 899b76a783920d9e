//! Fetches the provider's metadata and keeps it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::metadata::Unusable;
use super::{GrantError, Metadata, Misconfiguration, Provider};
use crate::clock::Timestamp;
use crate::meter::ProviderEndpoint;
use crate::network::{Failure, WireResponse};

const METADATA_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
const RETRY_METADATA: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(super) struct CachedMetadata {
    metadata: Arc<Metadata>,
    /// When it need not be fetched again. It is stale too if the clock was set back to before the last fetch.
    fresh: Range<Timestamp>,
    is_fallback: bool,
}

impl CachedMetadata {
    fn new(metadata: Metadata, now: Timestamp, is_fallback: bool) -> Self {
        Self { metadata: Arc::new(metadata), fresh: now..now.plus(METADATA_LIFETIME), is_fallback }
    }
}

/// Why a request for the metadata brought none.
#[derive(Debug, PartialEq)]
pub(crate) enum NoMetadata {
    /// An answer that must not be used.
    Unusable(Unusable),
    Status(StatusCode),
    /// No answer. The text is the cause.
    Unanswered(String),
}

impl fmt::Display for NoMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(problem) => problem.fmt(f),
            Self::Status(status) => write!(f, "the answer has status {}", status.as_u16()),
            Self::Unanswered(cause) => f.write_str(cause),
        }
    }
}

impl Provider {
    /// Returns the provider's metadata. It is cached for a day, and then fetched again in the background.
    pub(crate) async fn metadata(self: &Arc<Self>) -> Result<Arc<Metadata>, GrantError> {
        let cached = self.metadata.lock().clone();
        let fetch = || {
            let provider = self.clone();
            async move { provider.fetch_metadata().await }
        };
        match cached {
            Some(cached) if cached.fresh.contains(&self.now()) => Ok(cached.metadata),
            Some(stale) => {
                self.metadata_flight.start(&(), Some(&self.tasks), fetch);
                Ok(stale.metadata)
            }
            None => {
                let fetched = self.metadata_flight.join(&(), Some(&self.tasks), fetch).await;
                fetched.unwrap_or(Err(GrantError::NotSent { retry_after: None }))
            }
        }
    }

    /// Returns true if users can be sent to the provider without another fetch.
    pub(crate) fn has_metadata(&self) -> bool {
        self.metadata.lock().is_some()
    }

    /// Keeps metadata that was fetched just now.
    pub(super) fn keep_metadata(&self, metadata: Metadata) -> Arc<Metadata> {
        let fetched = CachedMetadata::new(metadata, self.now(), false);
        self.metadata.lock().insert(fetched).metadata.clone()
    }

    /// Reads an answer to a request for the metadata.
    pub(super) fn read_metadata(
        &self,
        answer: &Result<WireResponse, Failure>,
    ) -> Result<Metadata, NoMetadata> {
        match answer {
            Ok(response) if response.status == StatusCode::OK => {
                Metadata::parse(&response.body, &self.issuer).map_err(NoMetadata::Unusable)
            }
            Ok(response) => Err(NoMetadata::Status(response.status)),
            Err(failure) => Err(NoMetadata::Unanswered(failure.cause.clone())),
        }
    }

    async fn fetch_metadata(&self) -> Result<Arc<Metadata>, GrantError> {
        let request = self.issuer.metadata_request();
        let answer = self.send(ProviderEndpoint::Metadata, request, self.http.time()).await;
        let problem = match self.read_metadata(&answer) {
            Ok(metadata) => return Ok(self.keep_metadata(metadata)),
            Err(problem) => problem,
        };
        let (now, issuer) = (self.now(), self.issuer.as_str());
        let mut cache = self.metadata.lock();
        let mut error = GrantError::NotSent { retry_after: None };
        if let NoMetadata::Unusable(problem) = &problem {
            if self.metadata_log.is_due(now) {
                tracing::error!(issuer, "The provider's metadata {problem}. Check OSC_ISSUER.");
            }
            if matches!(problem, Unusable::OtherIssuer(_)) {
                error = GrantError::Misconfigured(Misconfiguration::OtherIssuer);
            }
            // An answer with the wrong issuer ends the use of a fallback (RFC 8414 §3.3).
            cache.take_if(|cached| cached.is_fallback);
        } else {
            if self.metadata_log.is_due(now) {
                tracing::warn!(
                    issuer,
                    cause = %problem,
                    "The provider's metadata could not be fetched. Check the network and OSC_ISSUER."
                );
            }
            if self.issuer.known_endpoints {
                cache.get_or_insert_with(|| CachedMetadata::new(Metadata::known(&self.issuer), now, true));
            }
        }
        let cached = cache.as_mut().ok_or(error)?;
        cached.fresh = now..now.plus(RETRY_METADATA);
        Ok(cached.metadata.clone())
    }
}
