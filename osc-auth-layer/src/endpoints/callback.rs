//! The callback: the provider's answer, believed only when this browser asked for it (RFC 6749 §4.1.2, RFC 9207 §2.4).

use super::Context;
use super::pending::{LIFETIME, PendingCookies, PendingSignIn};
use super::query::Query;
use crate::clock::Timestamp;
use crate::provider::wire::loggable;
use crate::provider::{GrantError, NO_COMMON_METHOD};
use crate::response::{Answer, Refusal, see_other};
use crate::secret::Secret;
use crate::shared::Shared;
use crate::store::RecordName;

pub(super) async fn serve(context: &Context<'_>) -> Result<Answer, Refusal> {
    let (shared, config) = (context.shared, &context.shared.config);
    let query = Query::parse(context.head.uri().query())?;
    let session_cookie = context.session_cookie();
    let cookies = PendingCookies { cookies: &context.cookies, config, session_cookie: &session_cookie };
    let pending = query
        .get("state")
        .and_then(|state| cookies.find(state))
        .filter(|pending| pending.issuer == shared.provider.issuer.as_str());
    let Some(pending) = pending else {
        return no_pending(context).await;
    };
    cookies.remove(&pending);
    let now = shared.common_now().await.map_err(|_| Refusal::ProviderUnavailable)?;
    if pending.has_expired(now) {
        return no_pending(context).await;
    }
    // Whatever the answer is, and whoever's, it is the only one (RFC 9700 §4.2.4): of two deliveries at once, one makes a
    // request.
    if !consume_once(shared, &pending, now).await? {
        return no_pending(context).await;
    }
    check_issuer(&query, &pending)?;
    if let Some(error) = query.get("error") {
        let description = query.get("error_description").unwrap_or_default();
        tracing::info!(
            error = %loggable(error, 64, &[]),
            error_description = %loggable(description, 200, &[]),
            "the provider declined a sign-in"
        );
        return Err(match error {
            "access_denied" => Refusal::AccessDenied,
            _ => Refusal::SignInFailed,
        });
    }
    let Some(code) = query.get("code").map(Secret::new) else {
        return Err(Refusal::InvalidRequest("The provider's answer holds neither a code nor an error."));
    };
    let client = shared.provider.client_by_id(&pending.client_id).await;
    let client = client.map_err(|_| Refusal::ProviderUnavailable)?.ok_or(Refusal::InvalidState)?;
    let PendingSignIn { redirect_uri, verifier, return_to, .. } = pending;
    let exchanged = shared.provider.exchange(client.clone(), code, redirect_uri, verifier).await;
    let tokens = match exchanged {
        Ok(tokens) => tokens,
        Err(GrantError::Misconfigured(code)) if is_about_the_client(&code) => {
            return Err(refused_client(context, &client.id, &code).await);
        }
        Err(GrantError::Refused | GrantError::Misconfigured(_)) => return Err(Refusal::SignInFailed),
        Err(GrantError::NotSent { .. } | GrantError::PossiblyProcessed { .. }) => {
            return Err(Refusal::ProviderUnavailable);
        }
    };
    // A new id at every sign-in: one that somebody planted is worth nothing (session fixation).
    let begun = shared.begin_session(tokens, client, context.session_id()).await;
    let session = begun.map_err(|_| Refusal::ProviderUnavailable)?;
    tracing::debug!(session = %session.id().public(), "signed in");
    let value = session.id().cookie_value();
    let cookie = config.cookies.build(session_cookie, value, config.timing.absolute_timeout);
    context.cookies.add(cookie);
    Ok(see_other(&return_to))
}

/// RFC 9207 §2.4: compared whenever it is there, required when it was announced; for errors too.
fn check_issuer(query: &Query, pending: &PendingSignIn) -> Result<(), Refusal> {
    match query.get("iss") {
        Some(iss) if iss == pending.issuer => Ok(()),
        None if !pending.iss_due => Ok(()),
        _ => {
            tracing::warn!("a callback named another issuer, or none although the provider announced it");
            Err(Refusal::InvalidRequest("This answer did not come from the provider that was asked."))
        }
    }
}

/// An unknown, expired, used or foreign state. The back button gets here too, and then the visitor is signed in.
async fn no_pending(context: &Context<'_>) -> Result<Answer, Refusal> {
    let config = &context.shared.config;
    let Some(id) = context.session_id() else {
        return Err(Refusal::InvalidState);
    };
    match context.shared.live_session(&id).await {
        Ok(Some(_)) => Ok(see_other(&context.after(&config.after_signin))),
        Ok(None) => Err(Refusal::InvalidState),
        Err(_) => Err(Refusal::ProviderUnavailable),
    }
}

/// Whether this is the first delivery of the state, on any node.
async fn consume_once(shared: &Shared, pending: &PendingSignIn, now: Timestamp) -> Result<bool, Refusal> {
    let Some(backing) = &shared.backing else {
        return Ok(shared.consumed.consume_once(pending.state(), pending.expires_at(), now));
    };
    let name = RecordName::once(&["state", pending.state()]);
    let created = backing.create_once(&name, &[], LIFETIME).await;
    created.map_err(|_| Refusal::ProviderUnavailable)
}

/// RFC 6749 §5.2: no other attempt would fare better. Every other code is about this very request.
fn is_about_the_client(error: &str) -> bool {
    matches!(error, "invalid_client" | "unauthorized_client" | "unsupported_grant_type" | NO_COMMON_METHOD)
}

async fn refused_client(context: &Context<'_>, client_id: &str, error: &str) -> Refusal {
    if context.shared.provider.forget_registration(client_id).await {
        tracing::warn!(%error, "the provider no longer knows this registration; the next sign-in makes another");
        return Refusal::SignInFailed;
    }
    tracing::error!(%error, "the provider refuses this client; check CLIENT_ID and CLIENT_SECRET");
    Refusal::Misconfigured
}
