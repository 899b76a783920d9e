//! The questions of a preflight to the provider. None of them opens a grant or registers a client.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method, StatusCode, header};
use url::Url;

use super::fetch::NoMetadata;
use super::wire::{self, AuthMethod, Tokens};
use super::{Credentials, ErrorCode, Metadata, Provider};
use crate::network::{Failure, WireRequest, WireResponse};
use crate::secret::{Secret, random_token};

/// How long each answer may take.
const TIME: Duration = Duration::from_secs(5);

/// The provider's clock and this machine's, at one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clocks {
    /// `None` if the answer has no date of its own.
    pub(crate) provider: Option<SystemTime>,
    pub(crate) own: SystemTime,
}

/// An answer of the token endpoint or of the endpoint for pushed requests.
pub(crate) enum Reply {
    /// The success that was asked for, with the body.
    Success(WireResponse),
    /// An OAuth error: its code, and code and description for people.
    Refusal(ErrorCode, String),
    /// Another answer, which tells nothing.
    Other(StatusCode),
    /// No answer. The text is the cause.
    Unanswered(String),
}

/// An answer of the authorization endpoint to a browser that is not signed in there.
#[derive(Debug)]
pub(crate) enum PageReply {
    /// A page.
    Page,
    /// A redirect. `None` if its target is no URL.
    Redirect(Option<Url>),
    Other(StatusCode),
    Unanswered(String),
}

impl Provider {
    /// Fetches the metadata anew, and keeps it.
    pub(crate) async fn ask_for_metadata(&self) -> (Result<Arc<Metadata>, NoMetadata>, Option<Clocks>) {
        let answer = self.http.send_explained(self.issuer.metadata_request(), TIME).await;
        let read = self.read_metadata(&answer);
        (read.map(|metadata| self.keep_metadata(metadata)), self.clocks(&answer))
    }

    /// Uses a code that nobody issued. A provider that accepts the client answers `invalid_grant` (RFC 6749 §5.2).
    pub(crate) async fn ask_with_made_up_code(
        &self,
        metadata: &Metadata,
        credentials: &Credentials,
        method: AuthMethod,
        redirect_uri: &str,
    ) -> (Reply, Option<Clocks>) {
        let (code, verifier) = (random_token::<24>(), random_token::<32>());
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", &*verifier),
        ];
        let request = wire::client_request(metadata.token_endpoint.clone(), credentials, method, &fields);
        let answer = self.http.send_explained(request, TIME).await;
        let clocks = self.clocks(&answer);
        (reply(answer, credentials, |answer| wire::tokens(&answer.body).is_some()), clocks)
    }

    /// Ends a grant that a made-up code opened.
    pub(crate) fn end_unwanted_grant(
        self: &Arc<Self>,
        credentials: &Arc<Credentials>,
        answer: &WireResponse,
    ) {
        if let Some((token, hint)) = wire::tokens(&answer.body).as_ref().map(Tokens::revocable) {
            self.revoke(credentials.clone(), token, hint);
        }
    }

    /// Pushes an authorization request (RFC 9126), which expires unused.
    pub(crate) async fn ask_with_pushed_request(
        &self,
        endpoint: Url,
        credentials: &Credentials,
        method: AuthMethod,
        parameters: &[(&str, &str)],
    ) -> Reply {
        let made_up = MadeUp::new();
        let fields = made_up.with(parameters);
        let fields = wire::without_duplicate_id(&fields, method);
        let request = wire::client_request(endpoint, credentials, method, &fields);
        let answer = self.http.send_explained(request, TIME).await;
        reply(answer, credentials, |answer| wire::request_uri(&answer.body).is_some())
    }

    /// Opens the authorization endpoint like a browser without a session there, and follows no redirect.
    pub(crate) async fn ask_for_page(&self, metadata: &Metadata, parameters: &[(&str, &str)]) -> PageReply {
        let made_up = MadeUp::new();
        let mut url = metadata.authorization_endpoint.clone();
        url.query_pairs_mut().extend_pairs(made_up.with(parameters));
        let accept = HeaderValue::from_static("text/html,*/*;q=0.8");
        let request = WireRequest::new(Method::GET, url.clone()).header(header::ACCEPT, accept);
        match self.http.send_for_head(request, TIME).await {
            Err(failure) => PageReply::Unanswered(failure.cause),
            Ok(response) if response.status.is_success() => PageReply::Page,
            Ok(response) if response.status.is_redirection() => {
                let location = response.headers.get(header::LOCATION).and_then(|target| target.to_str().ok());
                PageReply::Redirect(location.and_then(|target| url.join(target).ok()))
            }
            Ok(response) => PageReply::Other(response.status),
        }
    }

    fn clocks(&self, answer: &Result<WireResponse, Failure>) -> Option<Clocks> {
        let response = answer.as_ref().ok()?;
        Some(Clocks { provider: response.date(), own: self.clock.now() })
    }
}

/// The parameters of an authorization request that each sign-in makes anew.
struct MadeUp {
    challenge: String,
    state: String,
}

impl MadeUp {
    fn new() -> Self {
        // A challenge is 32 bytes in base64url (RFC 7636 §4.2). Nobody needs its verifier.
        Self { challenge: random_token::<32>(), state: random_token::<16>() }
    }

    fn with<'p>(&'p self, parameters: &[(&'p str, &'p str)]) -> Vec<(&'p str, &'p str)> {
        let own = [("code_challenge", &*self.challenge), ("state", &*self.state)];
        parameters.iter().copied().chain(own).collect()
    }
}

fn reply(
    answer: Result<WireResponse, Failure>,
    credentials: &Credentials,
    is_complete: impl Fn(&WireResponse) -> bool,
) -> Reply {
    let response = match answer {
        Ok(response) if response.status.is_success() && is_complete(&response) => {
            return Reply::Success(response);
        }
        Ok(response) => response,
        Err(failure) => return Reply::Unanswered(failure.cause),
    };
    let sent: Vec<_> = credentials.secret.iter().map(Secret::expose).collect();
    match wire::error_in(&response, &sent) {
        Some((code, error, description)) if response.status != StatusCode::TOO_MANY_REQUESTS => {
            let is_told = !description.is_empty();
            Reply::Refusal(code, if is_told { format!("{error}, “{description}”") } else { error })
        }
        _ => Reply::Other(response.status),
    }
}
