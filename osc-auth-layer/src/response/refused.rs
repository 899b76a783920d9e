//! Refusals by extractors of the app. They travel in the response's extensions to the layer, which answers in its own form.

use std::fmt;

use http::request::Parts;
use http::{Request, Response, StatusCode, Uri, header};

use super::{Answer, Facts, Refusal, answer};
use crate::config::Config;
use crate::sessions::{OscToken, OtherUser, Outage};

/// The head of a request that an extractor refused. It decides the form of the answer: a page, JSON or another.
///
/// It contains no cookies, and `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RequestHead {
    request: Box<Request<()>>,
    /// Leads to the layer of a signed-in user.
    token: Option<OscToken>,
    /// The reason why there is no token, if it is an outage.
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "an extractor reads it"))]
    outage: Option<Outage>,
}

impl RequestHead {
    pub(crate) fn of(parts: &Parts) -> Self {
        let mut head = Request::new(());
        *head.method_mut() = parts.method.clone();
        *head.uri_mut() = parts.uri.clone();
        *head.version_mut() = parts.version;
        let kept = parts
            .headers
            .iter()
            .filter(|(name, _)| !matches!(**name, header::COOKIE | header::AUTHORIZATION));
        head.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        let (token, outage) = (parts.extensions.get().cloned(), parts.extensions.get().copied());
        Self { request: Box::new(head), token, outage }
    }

    /// Notes that the body was read, so that the connection can go on.
    #[cfg(feature = "axum")]
    pub(crate) fn after_its_body(mut self) -> Self {
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
            self.request.headers_mut().remove(name);
        }
        self
    }

    /// Returns the token of the request's user.
    pub(crate) fn token(&self) -> Option<&OscToken> {
        self.token.as_ref()
    }

    /// Returns the outage in which the layer cannot tell who the visitor is.
    #[cfg(feature = "axum")]
    pub(crate) fn outage(&self) -> Option<Outage> {
        // A mark beside a token is that of an outer layer.
        self.outage.filter(|_| self.token.is_none())
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestHead")
    }
}

/// A refusal by an extractor, in the extensions of its response.
#[derive(Clone)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) head: RequestHead,
}

impl OtherUser {
    /// Sets the status of a response to 409, and marks it, so that [`OscAuthLayer`] replaces it with its own page, or with JSON for
    /// a script. For apps without axum. `request` is the head of the refused request.
    ///
    /// ```
    /// use http::{Response, request::Parts};
    /// use osc_auth_layer::OscToken;
    ///
    /// fn buy(request: &Parts, token: &OscToken, page_key: &str) -> Response<String> {
    ///     match token.check_page(page_key) {
    ///         Ok(()) => Response::new("bought".to_owned()),
    ///         Err(error) => error.refuse(request, Response::new(error.to_string())),
    ///     }
    /// }
    /// ```
    ///
    /// [`OscAuthLayer`]: crate::OscAuthLayer
    #[must_use]
    pub fn refuse<B>(&self, request: &Parts, response: Response<B>) -> Response<B> {
        self.refuse_head(RequestHead::of(request), response)
    }

    pub(crate) fn refuse_head<B>(&self, head: RequestHead, mut response: Response<B>) -> Response<B> {
        *response.status_mut() = StatusCode::CONFLICT;
        let refusal = Refusal::OtherUser { name: self.name() };
        response.extensions_mut().insert(Refused { refusal, head });
        response
    }
}

impl Refused {
    /// Makes the layer's answer. `uri` is the address as the layer saw it, if it differs: routers strip prefixes.
    pub(crate) fn answer(self, config: &Config, uri: Option<Uri>) -> Answer {
        let RequestHead { request: mut head, .. } = self.head;
        if let Some(uri) = uri {
            *head.uri_mut() = uri;
        }
        let facts = Facts::of(config, &head);
        let facts = match self.refusal {
            // The user goes back to the page with the form. The form itself would be refused again.
            Refusal::OtherUser { .. } => facts.returning_to_its_page(config, &head),
            _ => facts,
        };
        answer(config, &facts, self.refusal)
    }
}
