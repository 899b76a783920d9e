//! Starts a sign-in: gives the browser a pending sign-in and redirects it to the provider (RFC 6749 §4.1.1, RFC 7636 §4.3).

use std::sync::Arc;

use http::{Request, Uri};
use url::Url;

use super::Context;
use super::pending::{Begun, NewSignIn};
use super::query::{self, Query};
use super::state::Parties;
use crate::clock::Timestamp;
use crate::meter;
use crate::oauth::{Credentials, ErrorCode, GrantError, Metadata, Misconfiguration};
use crate::redact::line;
use crate::request::kind::may_sign_in;
use crate::request::origin::{self, Origin, PublicUrl};
use crate::response::{Answer, MOST_HEADERS, Refusal, RequestProblem, return_to, see_other};

/// Marks the redirected request, which would otherwise loop behind a proxy that rewrites `Host`.
const REDIRECTED: &str = "redirected";
/// The bytes of a redirect's headers beside its URL, its `state` and its cookie's value: the fixed headers, the longest name of a
/// cookie and its attributes, and the PKCE challenge.
const OTHER_HEADERS: usize = 480;

pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Refusal> {
    let config = &context.auth.config;
    let (uri, headers) = (context.head.uri(), context.head.headers());
    let query = context.query()?;
    refuse_background(context.head)?;
    // On OSC, a visitor at the app's custom domain would return to `OSC_HOSTNAME`, where the cookie is missing.
    if config.is_osc_hostname
        && let Some(host) = origin::unknown_authority(&config.public_urls, uri, headers)
    {
        return Err(context.auth.unknown_host(host));
    }
    let return_to = |url: &PublicUrl| {
        query.get("return_to").and_then(|target| return_to::landing(target, config, &url.base_path))
    };
    let public_url = match origin::select(&config.public_urls, uri, headers) {
        Origin::Known(url) => url,
        Origin::Elsewhere(url) if query.get(REDIRECTED).is_some() => url,
        // The browser sends the pending sign-in only to the host that set it. So the sign-in has to start on the callback's host.
        Origin::Elsewhere(url) => {
            let signin = format!("{}?{REDIRECTED}=1", url.url(&config.signin_path));
            let page = return_to(&url);
            let pages = [page, page.map(return_to::path_of)].into_iter().flatten();
            let mut targets = pages.map(|page| format!("{signin}&return_to={}", return_to::in_query(page)));
            let target = targets.find(|target| target.len() + OTHER_HEADERS <= MOST_HEADERS);
            return Ok(see_other(&target.unwrap_or(signin)));
        }
        Origin::Unknown => {
            tracing::error!(
                "The app's public URL is not known, because the request did not come directly to localhost. Set PUBLIC_URL \
                 to the URL that browsers use."
            );
            return Err(Refusal::Misconfigured);
        }
    };
    start(context, &public_url, return_to(&public_url), 0).await
}

/// Reads the query of a sign-in. The length of `return_to` does not count towards the limit.
pub(super) fn query(uri: &Uri) -> Result<Query, Refusal> {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    let page = pairs.find(|pair| pair.starts_with("return_to=")).map_or(0, str::len);
    Query::parse(uri.query(), query::LONGEST + page)
}

/// Begins a sign-in that returns to this page, or to the app's default. The layer itself began it anew `restarts` times.
pub(super) async fn start(
    context: &Context<'_>,
    public_url: &PublicUrl,
    return_to: Option<&str>,
    restarts: u8,
) -> Result<Answer, Refusal> {
    let auth = context.auth;
    let provider = &auth.sessions.provider;
    let metadata = provider.metadata().await.map_err(refusal)?;
    let now = auth.sessions.common_now().await.map_err(|_| Refusal::StoreUnavailable)?;
    let page = Page { public_url, return_to, restarts };
    let mut begun = begin(context, &metadata, &page, now).await;
    const UNKNOWN_CLIENT: GrantError =
        GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient));
    if let Err((UNKNOWN_CLIENT, Some(client))) = &begun
        && provider.forget_registration(&client.id).await
    {
        // The provider forgot this registration, so try once more with a new one (RFC 7591).
        begun = begin(context, &metadata, &page, now).await;
    }
    let (begun, location) = begun.map_err(|(error, _)| refusal(error))?;
    context.pending_cookies().add(begun);
    meter::sign_in_started();
    Ok(see_other(location.as_str()))
}

/// The page that a sign-in is for.
struct Page<'p> {
    public_url: &'p PublicUrl,
    return_to: Option<&'p str>,
    restarts: u8,
}

/// Returns a sign-in and the provider's URL for it. An error names the client that the provider refused.
async fn begin(
    context: &Context<'_>,
    metadata: &Arc<Metadata>,
    page: &Page<'_>,
    now: Timestamp,
) -> Result<(Begun, Url), (GrantError, Option<Arc<Credentials>>)> {
    let (provider, config) = (&context.auth.sessions.provider, &context.auth.config);
    let redirect_uri = page.public_url.url(&config.callback_path);
    let client = provider.client_for(metadata, &redirect_uri, &context.redirect_uris(), &config.scopes).await;
    let client = client.map_err(|error| (error, None))?;
    let scope = config.scope();
    let mut parameters = config.authorization_parameters(&client.id, &redirect_uri, &scope);
    // Keeps the endpoint's own query (RFC 6749 §3.1).
    let mut location = metadata.authorization_endpoint.clone();
    location.query_pairs_mut().extend_pairs(&parameters);
    let begun = context.pending_cookies().begin(&NewSignIn {
        parties: Parties { issuer: &metadata.issuer, redirect_uri: &redirect_uri },
        client_id: &client.id,
        iss_due: metadata.iss_in_response,
        return_to: page.return_to,
        restarts: page.restarts,
        process: context.auth.diagnoses.process(),
        now,
        room: MOST_HEADERS.saturating_sub(OTHER_HEADERS + location.as_str().len()),
    });
    let own = [("code_challenge", &*begun.challenge), ("state", &*begun.state)];
    match metadata.pushed_authorization_request_endpoint.clone() {
        None => _ = location.query_pairs_mut().extend_pairs(own),
        Some(par) => {
            parameters.extend(own);
            let pushed = provider.push(metadata, par, &client, &parameters).await;
            let request_uri = pushed.map_err(|error| (error, Some(client.clone())))?;
            location = metadata.authorization_endpoint.clone();
            let pushed = [("client_id", &client.id), ("request_uri", &request_uri)];
            location.query_pairs_mut().extend_pairs(pushed);
        }
    }
    tracing::debug!(client_id = %line(&client.id, 64), "a sign-in begins");
    Ok((begun, location))
}

/// Refuses prefetches, frames and scripts. The user did not click there, and could not consent.
pub(super) fn refuse_background(head: &Request<()>) -> Result<(), Refusal> {
    may_sign_in(head.method(), head.headers())
        .then_some(())
        .ok_or(Refusal::InvalidRequest(RequestProblem::NotAWindow))
}

fn refusal(error: GrantError) -> Refusal {
    match error {
        GrantError::Misconfigured(_) => Refusal::Misconfigured,
        GrantError::NotShared => Refusal::StoreUnavailable,
        GrantError::Refused
        | GrantError::NotSent { .. }
        | GrantError::PossiblyProcessed { .. }
        | GrantError::TimedOut => Refusal::ProviderUnavailable,
    }
}
