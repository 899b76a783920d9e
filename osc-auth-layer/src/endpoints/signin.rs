//! Starts a sign-in: gives the browser a pending sign-in and redirects it to the provider (RFC 6749 §4.1.1, RFC 7636 §4.3).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use url::Url;

use super::pending::PendingSignIn;
use super::query::Query;
use super::{Context, return_to};
use crate::clock::Timestamp;
use crate::oauth::{Credentials, ErrorCode, GrantError, Metadata, Misconfiguration};
use crate::redact::line;
use crate::request::origin::{self, Origin, PublicUrl};
use crate::response::{Answer, Refusal, see_other};

/// Marks the redirected request, which would otherwise loop behind a proxy that rewrites `Host`.
const REDIRECTED: &str = "redirected";

pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Refusal> {
    let (auth, config) = (context.auth, &context.auth.config);
    let (uri, headers) = (context.head.uri(), context.head.headers());
    let query = Query::parse(uri.query())?;
    refuse_background(headers)?;
    // On OSC, a visitor at the app's custom domain would return to `OSC_HOSTNAME`, where the cookie is missing.
    if config.is_osc_hostname
        && let Some(host) = origin::unknown_authority(&config.public_urls, uri, headers)
    {
        return Err(unknown_host(context, host));
    }
    let return_to = |url: &PublicUrl| {
        query.get("return_to").and_then(|target| return_to::checked(target, config, &url.base_path))
    };
    let public_url = match origin::select(&config.public_urls, uri, headers) {
        Origin::Known(url) => url,
        Origin::Elsewhere(url) if query.get(REDIRECTED).is_some() => url,
        // The browser sends the pending sign-in only to the host that set it. So the sign-in has to start on the callback's host.
        Origin::Elsewhere(url) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(return_to(&url).map(|target| ("return_to", target)));
            form.append_pair(REDIRECTED, "1");
            return Ok(see_other(&format!("{}?{}", url.url(&config.signin_path), form.finish())));
        }
        Origin::Unknown => {
            tracing::error!(
                "The app's public URL is not known, because the request did not come directly to localhost. Set PUBLIC_URL \
                 to the URL that browsers use."
            );
            return Err(Refusal::Misconfigured);
        }
    };
    let default_return = context.after(&config.after_signin);
    let return_to = return_to(&public_url).unwrap_or(&default_return);
    let provider = &auth.sessions.provider;
    let metadata = provider.metadata().await.map_err(refusal)?;
    let now = auth.sessions.common_now().await.map_err(|_| Refusal::ProviderUnavailable)?;
    let mut begun = begin(context, &metadata, &public_url, return_to, now).await;
    const UNKNOWN_CLIENT: GrantError =
        GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient));
    if let Err((UNKNOWN_CLIENT, Some(client))) = &begun
        && provider.forget_registration(&client.id).await
    {
        // The provider forgot this registration, so try once more with a new one (RFC 7591).
        begun = begin(context, &metadata, &public_url, return_to, now).await;
    }
    let (pending, location) = begun.map_err(|(error, _)| refusal(error))?;
    context.pending_cookies().add(pending, &default_return);
    Ok(see_other(location.as_str()))
}

/// Returns a pending sign-in and the provider's URL for it. An error names the client that the provider refused.
async fn begin(
    context: &Context<'_>,
    metadata: &Arc<Metadata>,
    public_url: &PublicUrl,
    return_to: &str,
    now: Timestamp,
) -> Result<(PendingSignIn, Url), (GrantError, Option<Arc<Credentials>>)> {
    let (provider, config) = (&context.auth.sessions.provider, &context.auth.config);
    let redirect_uri = public_url.url(&config.callback_path);
    let mut redirect_uris: Vec<_> =
        config.public_urls.iter().map(|url| url.url(&config.callback_path)).collect();
    if redirect_uris.is_empty() {
        redirect_uris.push(redirect_uri.clone());
    }
    let client = provider.client_for(metadata, &redirect_uri, &redirect_uris, &config.scopes).await;
    let client = client.map_err(|error| (error, None))?;
    let pending = PendingSignIn::begin(
        metadata.issuer.clone(),
        client.id.clone(),
        redirect_uri,
        metadata.iss_in_response,
        return_to.to_owned(),
        now,
    );
    let (challenge, scope) = (pending.challenge(), config.scopes.join(" "));
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", client.id.as_str()),
        ("redirect_uri", &pending.redirect_uri),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", pending.state()),
    ];
    if !scope.is_empty() {
        parameters.push(("scope", &scope));
    }
    parameters.extend(config.authorization_params.iter().map(|(name, value)| (&**name, &**value)));
    // Keeps the endpoint's own query (RFC 6749 §3.1).
    let mut location = metadata.authorization_endpoint.clone();
    match metadata.pushed_authorization_request_endpoint.clone() {
        None => _ = location.query_pairs_mut().extend_pairs(parameters),
        Some(par) => {
            let pushed = provider.push(metadata, par, &client, &parameters).await;
            let request_uri = pushed.map_err(|error| (error, Some(client.clone())))?;
            let pushed = [("client_id", &client.id), ("request_uri", &request_uri)];
            location.query_pairs_mut().extend_pairs(pushed);
        }
    }
    tracing::debug!(client_id = %line(&client.id, 64), "a sign-in begins");
    Ok((pending, location))
}

/// Refuses a prefetch, a frame and a script. In none of them a user clicked or could consent.
fn refuse_background(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let speculative = ["sec-purpose", "purpose", "x-moz"]
        .into_iter()
        .filter_map(value)
        .any(|purpose| purpose.starts_with(b"prefetch") || purpose.starts_with(b"preview"));
    let is_document = value("sec-fetch-dest").is_none_or(|dest| dest == b"document");
    if speculative || !is_document {
        return Err(Refusal::InvalidRequest(
            "Sign-in needs a browser window of its own, not a frame, a script or a prefetch.",
        ));
    }
    Ok(())
}

fn unknown_host(context: &Context<'_>, host: &str) -> Refusal {
    let host = line(host, 253);
    if context.auth.unknown_host.is_due(context.auth.sessions.now()) {
        tracing::error!(
            "A visitor opened the app at {host}, which PUBLIC_URL does not name. Set PUBLIC_URL to https://{host}, or to \
             all the app's URLs, separated by commas. Register the callback of each with the OAuth app."
        );
    }
    Refusal::UnknownHost { host }
}

fn refusal(error: GrantError) -> Refusal {
    match error {
        GrantError::Misconfigured(_) => Refusal::Misconfigured,
        GrantError::Refused
        | GrantError::NotSent { .. }
        | GrantError::PossiblyProcessed { .. }
        | GrantError::TimedOut => Refusal::ProviderUnavailable,
    }
}
