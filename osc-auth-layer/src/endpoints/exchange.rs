//! Exchanges the code of a sign-in and begins the session, even if the request that brought the code has gone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::watch;
use tracing::Instrument;

use super::outcomes::{Fingerprint, Outcome, Place};
use super::pending::PendingSignIn;
use super::query::Query;
use super::relay::{self, Relay};
use super::state::State;
use crate::clock::Timestamp;
use crate::endpoints::Auth;
use crate::flight::landing;
use crate::meter::{self, SignIn};
use crate::oauth::{Credentials, ErrorCode, GrantError, Misconfiguration};
use crate::redact::redacted;
use crate::response::{Refusal, RequestProblem, StateProblem};
use crate::secret::Secret;
use crate::sessions::{Device, EndReason, SessionEventKind, SessionId};
use crate::store::StoreError;

/// How long a session waits for its browser. After that its grant is revoked.
const UNCLAIMED_FOR: Duration = Duration::from_secs(12);

/// The tries to withdraw a session that no browser got. Its grant is revoked only after a withdrawal. There are several tries,
/// because the store may fail.
const WITHDRAWALS: u32 = 10;
const WITHDRAW_AGAIN: Duration = Duration::from_secs(1);

/// A request's share in a sign-in.
///
/// If it is dropped before the browser gets the session, the grant is revoked unless another request comes for it.
pub(super) struct Delivery<'s> {
    auth: &'s Arc<Auth>,
    pending: &'s Arc<PendingSignIn>,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl<'s> Delivery<'s> {
    /// Begins the exchange or joins the one under way. `None` if an earlier delivery of the same sign-in brought another answer.
    pub(super) fn begin(
        auth: &'s Arc<Auth>,
        pending: &'s Arc<PendingSignIn>,
        query: Query,
        now: Timestamp,
        device: Device,
    ) -> Result<Option<Self>, Refusal> {
        auth.sessions.sweeper.keep_going();
        let place = auth.outcomes.enter(pending.id(), Fingerprint::of(&query), auth.sessions.now());
        let outcome = match place {
            Place::Joined(outcome) => outcome,
            Place::First(sender) => {
                let outcome = sender.subscribe();
                let (runner, pending) = (auth.clone(), pending.clone());
                let exchange = async move { run(&runner, &pending, &query, &sender, now, device).await };
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

    /// Waits for the outcome. `None` if another node has not told it, or if the exchange died with its runtime.
    pub(super) async fn outcome(&self) -> Option<Outcome> {
        landing(self.outcome.clone()).await
    }

    /// Notes for the node that began the session that this node hands it over. Returns false if that node has withdrawn it.
    pub(super) async fn claim(&self) -> Result<bool, Refusal> {
        let Some(backing) = self.auth.sessions.backing.as_deref() else { return Ok(true) };
        Relay::new(backing, self.pending).claim().await.map_err(|_| Refusal::StoreUnavailable)
    }

    /// Notes that the next answer gives the session to the browser.
    pub(super) fn hand_on(self) {
        self.auth.outcomes.claim(self.pending.id());
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if self.auth.outcomes.leave(self.pending.id()) {
            let (auth, pending) = (self.auth.clone(), self.pending.clone());
            self.auth.sessions.beside(async move { revoke_unless_claimed(&auth, &pending).await });
        }
    }
}

async fn run(
    auth: &Arc<Auth>,
    pending: &PendingSignIn,
    query: &Query,
    sender: &watch::Sender<Option<Outcome>>,
    now: Timestamp,
    device: Device,
) {
    let (state, sessions, fingerprint) = (pending.id(), &auth.sessions, Fingerprint::of(query));
    let mut relay = sessions.backing.as_deref().map(|backing| Relay::new(backing, pending));
    // Every answer uses up the state (RFC 9700 §4.2.4). So of two deliveries on two nodes, only one makes a token request.
    let is_first = match &mut relay {
        Some(relay) => relay.consume_once().await,
        None => Ok(auth.consumed.consume_once(state, pending.state.expires_at(), now)),
    };
    // The node of the first delivery counts the sign-in.
    let is_counted_here = !matches!(is_first, Ok(false));
    let outcome = match (is_first, &relay) {
        (Ok(true), _) => match sign_in(auth, pending, query, device).await {
            Ok(id) => Outcome::SignedIn { id, is_relayed: false },
            Err(refusal) => Outcome::Refused(refusal),
        },
        (Ok(false), None) => Outcome::Used,
        (Ok(false), Some(relay)) => match relay.outcome(fingerprint, sessions).await {
            Some(outcome) => outcome,
            // Without an outcome the browser keeps its pending sign-in, and can ask again.
            None => return auth.outcomes.forget(state),
        },
        (Err(_), _) => Outcome::Refused(Refusal::StoreUnavailable),
    };
    if is_counted_here {
        meter::sign_in_ended(how_it_ended(&outcome, query));
    }
    let is_forsaken = auth.outcomes.end(state, &outcome, sessions.now());
    sender.send_replace(Some(outcome.clone()));
    if let Some(relay) = &relay {
        relay.publish(fingerprint, &outcome, sessions).await;
    }
    if is_forsaken {
        revoke_unless_claimed(auth, pending).await;
    }
}

/// Returns how a sign-in ended that the provider answered with this query.
fn how_it_ended(outcome: &Outcome, query: &Query) -> SignIn {
    match outcome {
        Outcome::SignedIn { .. } => SignIn::Completed,
        Outcome::Used => SignIn::StateUsed,
        Outcome::Refused(refusal) => match refusal {
            Refusal::AccessDenied => SignIn::AccessDenied,
            Refusal::NotAllowed => SignIn::NotAllowed,
            Refusal::Misconfigured => SignIn::Misconfigured,
            Refusal::ProviderUnavailable => SignIn::ProviderUnavailable,
            Refusal::StoreUnavailable => SignIn::StoreUnavailable,
            Refusal::InvalidState(problem) => problem.outcome(),
            Refusal::InvalidRequest(RequestProblem::OtherIssuer) => SignIn::OtherIssuer,
            Refusal::InvalidRequest(_) => SignIn::EmptyCallback,
            _ if query.get("error").is_some() => SignIn::ProviderError,
            _ => SignIn::ExchangeRefused,
        },
    }
}

/// Returns true if the `state` was used, on any node.
pub(super) async fn is_used(auth: &Auth, state: &State) -> Result<bool, StoreError> {
    match auth.sessions.backing.as_deref() {
        Some(backing) => relay::is_used(backing, state.id.expose()).await,
        None => Ok(auth.consumed.contains(state.id.expose(), state.expires_at())),
    }
}

async fn revoke_unless_claimed(auth: &Arc<Auth>, pending: &PendingSignIn) {
    select(auth.sessions.clock.sleep(UNCLAIMED_FOR), Box::pin(auth.sessions.shutting_down())).await;
    let Some(id) = auth.outcomes.take_unclaimed(pending.id()) else { return };
    if !withdraw(auth, pending).await {
        return;
    }
    tracing::debug!(session = %id.public(), "no browser received this session; the layer revokes its grant");
    auth.sessions.sign_out(&id, SessionEventKind::Ended(EndReason::Undelivered)).await;
}

/// Returns true if no other node gives the session to its browser. Returns false if the store keeps failing, because a browser may
/// have the session.
async fn withdraw(auth: &Auth, pending: &PendingSignIn) -> bool {
    let Some(backing) = auth.sessions.backing.as_deref() else { return true };
    let relay = Relay::new(backing, pending);
    for _ in 0..WITHDRAWALS {
        match relay.withdraw().await {
            Ok(is_withdrawn) => return is_withdrawn,
            Err(_) => auth.sessions.clock.sleep(WITHDRAW_AGAIN).await,
        }
    }
    false
}

/// Exchanges the code of the provider's answer, and begins a session.
async fn sign_in(
    auth: &Arc<Auth>,
    pending: &PendingSignIn,
    query: &Query,
    device: Device,
) -> Result<SessionId, Refusal> {
    // Required if the provider announced it. Applies to error answers too (RFC 9207 §2.4).
    let issuer = auth.sessions.provider.issuer.as_str();
    let is_expected = query.get("iss").map_or(!pending.state.carried.iss_due, |iss| iss == issuer);
    if !is_expected {
        tracing::warn!(
            "A callback named another issuer, or none although the provider announces one. The layer refused it."
        );
        return Err(Refusal::InvalidRequest(RequestProblem::OtherIssuer));
    }
    if let Some(error) = query.get("error") {
        let description = query.get("error_description").unwrap_or_default();
        let secrets = ["state", "code"].map(|name| query.get(name).unwrap_or_default());
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
        return Err(Refusal::InvalidRequest(RequestProblem::EmptyCallback));
    };
    let provider = &auth.sessions.provider;
    let client = provider.client_by_id(&pending.state.carried.client_id).await;
    let client =
        client.map_err(|_| Refusal::StoreUnavailable)?.ok_or(Refusal::InvalidState(StateProblem::Foreign))?;
    let tokens = match provider.exchange(&client, code, &pending.redirect_uri, &pending.verifier).await {
        Ok(tokens) => tokens,
        Err(error) => return Err(refusal(auth, &client, error).await),
    };
    if !auth.sessions.admits(&tokens, None) {
        tracing::info!("A user who is not allowed to use the app signed in. The layer revokes the grant.");
        let (token, hint) = tokens.revocable();
        provider.revoke(client, token, hint);
        return Err(Refusal::NotAllowed);
    }
    // Every sign-in gets a new id, so a planted id is worthless (session fixation).
    let token = auth.sessions.begin(tokens, client, device).await.map_err(|_| Refusal::StoreUnavailable)?;
    let id = token.held_by().id().clone();
    tracing::debug!(session = %id.public(), "signed in");
    Ok(id)
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
        GrantError::Misconfigured(Misconfiguration::OtherIssuer) => Refusal::Misconfigured,
        GrantError::Refused | GrantError::Misconfigured(_) => Refusal::SignInFailed,
        GrantError::NotShared => Refusal::StoreUnavailable,
        GrantError::NotSent { .. } | GrantError::PossiblyProcessed { .. } | GrantError::TimedOut => {
            Refusal::ProviderUnavailable
        }
    }
}
