//! Exchanges the code of a sign-in and begins the session, even if the request that brought the code has gone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::watch;
use tracing::Instrument;

use super::outcomes::{Fingerprint, Outcome, Place, SealedId};
use super::pending::{LIFETIME, PendingSignIn};
use super::query::Query;
use crate::clock::Timestamp;
use crate::endpoints::Auth;
use crate::flight::landing;
use crate::oauth::{Credentials, ErrorCode, GrantError};
use crate::redact::redacted;
use crate::response::Refusal;
use crate::secret::Secret;
use crate::sessions::SessionId;
use crate::store::RecordName;

/// How long a session waits for its browser. After that its grant is revoked.
const UNCLAIMED_FOR: Duration = Duration::from_secs(12);

/// A request's share in a sign-in.
///
/// If it is dropped before the browser gets the session, the grant is revoked unless another request comes for it.
pub(super) struct Delivery<'s> {
    auth: &'s Arc<Auth>,
    pending: &'s PendingSignIn,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl<'s> Delivery<'s> {
    /// Begins the exchange or joins the one under way. `None` if an earlier delivery of the same sign-in brought another answer.
    pub(super) fn begin(
        auth: &'s Arc<Auth>,
        pending: &'s Arc<PendingSignIn>,
        query: Query,
        now: Timestamp,
    ) -> Result<Option<Self>, Refusal> {
        let outcome = match auth.outcomes.enter(pending.state(), Fingerprint::of(&query), auth.sessions.now())
        {
            Place::Joined(outcome) => outcome,
            Place::First(sender) => {
                let outcome = sender.subscribe();
                let (runner, pending) = (auth.clone(), pending.clone());
                let exchange = async move { run(&runner, &pending, &query, &sender, now).await };
                auth.sessions.beside(exchange.in_current_span());
                outcome
            }
            Place::Differs => return Ok(None),
            Place::Full => {
                tracing::error!(
                    "Too many sign-ins came within a minute. Rate-limit the callback path in front of the app."
                );
                return Err(Refusal::ProviderUnavailable);
            }
        };
        Ok(Some(Self { auth, pending, outcome }))
    }

    /// Waits for the outcome. `None` if the exchange died with its runtime.
    pub(super) async fn outcome(&self) -> Option<Outcome> {
        landing(self.outcome.clone()).await
    }

    /// Notes that the next answer gives the session to the browser.
    pub(super) fn hand_on(self) {
        self.auth.outcomes.claim(self.pending.state());
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if self.auth.outcomes.leave(self.pending.state()) {
            let (auth, state) = (self.auth.clone(), self.pending.state().to_owned());
            self.auth.sessions.beside(async move { revoke_unless_claimed(&auth, &state).await });
        }
    }
}

async fn run(
    auth: &Arc<Auth>,
    pending: &PendingSignIn,
    query: &Query,
    sender: &watch::Sender<Option<Outcome>>,
    now: Timestamp,
) {
    let (outcome, unclaimed) = match sign_in(auth, pending, query, now).await {
        Ok(Some(id)) => (Outcome::SignedIn(SealedId::seal(&id, pending)), Some(id)),
        Ok(None) => (Outcome::Used, None),
        Err(refusal) => (Outcome::Refused(refusal), None),
    };
    let is_forsaken = auth.outcomes.end(pending.state(), unclaimed, auth.sessions.now());
    sender.send_replace(Some(outcome));
    if is_forsaken {
        revoke_unless_claimed(auth, pending.state()).await;
    }
}

async fn revoke_unless_claimed(auth: &Arc<Auth>, state: &str) {
    select(auth.sessions.clock.sleep(UNCLAIMED_FOR), Box::pin(auth.sessions.stopping.cancelled())).await;
    if let Some(id) = auth.outcomes.take_unclaimed(state) {
        tracing::debug!(session = %id.public(), "no browser received this session; the layer revokes its grant");
        auth.sessions.sign_out(&id).await;
    }
}

/// Exchanges the code of the provider's answer, and begins a session. `None` if the state was used before.
async fn sign_in(
    auth: &Arc<Auth>,
    pending: &PendingSignIn,
    query: &Query,
    now: Timestamp,
) -> Result<Option<SessionId>, Refusal> {
    // Every answer uses up the state (RFC 9700 §4.2.4). So of two deliveries on two nodes, only one makes a token request.
    if !consume_once(auth, pending, now).await? {
        return Ok(None);
    }
    check_issuer(query, pending)?;
    if let Some(error) = query.get("error") {
        let description = query.get("error_description").unwrap_or_default();
        let secrets = [pending.state(), query.get("code").unwrap_or_default()];
        tracing::info!(
            error = %ErrorCode::shown(error, &secrets),
            error_description = %redacted(description, 200, &secrets),
            "The user or the provider declined a sign-in."
        );
        return Err(match ErrorCode::of(error) {
            ErrorCode::AccessDenied => Refusal::AccessDenied,
            _ => Refusal::SignInFailed,
        });
    }
    let Some(code) = query.get("code").map(Secret::new) else {
        return Err(Refusal::InvalidRequest("The provider sent neither a code nor an error. Sign in again."));
    };
    let client = auth.sessions.provider.client_by_id(&pending.client_id).await;
    let client = client.map_err(|_| Refusal::ProviderUnavailable)?.ok_or(Refusal::InvalidState)?;
    let (redirect_uri, verifier) = (&pending.redirect_uri, &pending.verifier);
    let exchanged = auth.sessions.provider.exchange(&client, code, redirect_uri, verifier).await;
    let tokens = match exchanged {
        Ok(tokens) => tokens,
        Err(error) => return Err(refusal(auth, &client, error).await),
    };
    if !auth.sessions.admits(&tokens, None) {
        tracing::info!("A user who is not allowed to use the app signed in. The layer revokes the grant.");
        let (token, hint) = tokens.revocable();
        auth.sessions.provider.revoke(client, token, hint);
        return Err(Refusal::NotAllowed);
    }
    // Every sign-in gets a new id, so a planted id is worthless (session fixation).
    let begun = auth.sessions.begin(tokens, client).await;
    let token = begun.map_err(|_| Refusal::ProviderUnavailable)?;
    let id = token.held_by().id().clone();
    tracing::debug!(session = %id.public(), "signed in");
    Ok(Some(id))
}

/// Compares `iss` if it is present, and requires it if the provider announced it. Applies to error answers too (RFC 9207 §2.4).
fn check_issuer(query: &Query, pending: &PendingSignIn) -> Result<(), Refusal> {
    match query.get("iss") {
        Some(iss) if iss == pending.issuer => Ok(()),
        None if !pending.iss_due => Ok(()),
        _ => {
            tracing::warn!(
                "A callback named another issuer, or none although the provider announces one. The layer refused it."
            );
            Err(Refusal::InvalidRequest(
                "This answer came from another provider than the one that was asked. Sign in again.",
            ))
        }
    }
}

/// Returns true for the first delivery of the state on any node.
async fn consume_once(auth: &Arc<Auth>, pending: &PendingSignIn, now: Timestamp) -> Result<bool, Refusal> {
    let Some(backing) = &auth.sessions.backing else {
        return Ok(auth.consume_once(pending.state(), pending.expires_at(), now));
    };
    let name = RecordName::once(&["state", pending.state()]);
    let created = backing.create(&name, &[], LIFETIME).await;
    created.map_err(|_| Refusal::ProviderUnavailable)
}

async fn refusal(auth: &Auth, client: &Credentials, error: GrantError) -> Refusal {
    match error {
        GrantError::Misconfigured(error) if error.is_about_the_client() => {
            if auth.sessions.provider.forget_registration(&client.id).await {
                tracing::warn!(
                    %error,
                    "The provider no longer knows the app's registration. The next sign-in registers the app again."
                );
                return Refusal::SignInFailed;
            }
            tracing::error!(%error, "The provider refuses this client. Check CLIENT_ID and CLIENT_SECRET.");
            Refusal::Misconfigured
        }
        GrantError::Refused | GrantError::Misconfigured(_) => Refusal::SignInFailed,
        GrantError::NotSent { .. } | GrantError::PossiblyProcessed { .. } | GrantError::TimedOut => {
            Refusal::ProviderUnavailable
        }
    }
}
