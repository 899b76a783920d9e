//! What the provider's answer to a refresh means for the session.

use std::sync::Arc;
use std::time::Duration;

use super::claims::Claims;
use super::lease::{Lease, Written};
use super::record::Ending;
use super::refresh::{Plan, RETRY_AFTER, Refreshed};
use super::token::Issue;
use super::{OscToken, OscUser, Phase, Session, Sessions, Table};
use crate::oauth::{ErrorCode, Grant, GrantError, Misconfiguration, Tokens};

/// How a session ended under its refresh.
pub(super) enum Ended {
    SignedOut,
    /// Replaced by another sign-in, say: the provider may have answered that one with the same grant.
    Dropped,
}

impl From<Ending> for Ended {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::SignedOut => Self::SignedOut,
            Ending::Replaced => Self::Dropped,
        }
    }
}

/// Fails if the session has ended for good.
pub(super) fn ended(phase: Phase) -> Result<(), Ended> {
    match phase {
        Phase::SignedOut => Err(Ended::SignedOut),
        Phase::Dropped => Err(Ended::Dropped),
        Phase::Live | Phase::Refused => Ok(()),
    }
}

/// Makes the answer the session's, before anybody gets to see it.
pub(super) async fn settle(
    sessions: &Arc<Sessions>,
    session: &Session,
    plan: Plan,
    answer: Result<Tokens, GrantError>,
    lease: Option<&mut Lease>,
) -> Option<Refreshed> {
    match answer {
        Ok(tokens) => store(sessions, session, &plan, tokens, lease).await,
        Err(GrantError::Refused) => {
            tracing::info!(
                "The provider refused the refresh token. Unless another node has a newer one, the session ends."
            );
            refuse(sessions, session, &plan, lease).await
        }
        // Those credentials will never work again, and nobody can correct them.
        Err(GrantError::Misconfigured(Misconfiguration::Code(ErrorCode::InvalidClient)))
            if !sessions.provider.has_static_client() =>
        {
            tracing::warn!(
                "The provider no longer knows the app's registration. The session ends, and the next sign-in registers the \
                 app again."
            );
            sessions.provider.forget_registration(&plan.grant.credentials.id).await;
            refuse(sessions, session, &plan, lease).await
        }
        Err(GrantError::Misconfigured(error)) => {
            tracing::error!(%error, "The provider refuses this client. Check CLIENT_ID and CLIENT_SECRET.");
            Some(session.fail(sessions, None))
        }
        Err(error) => {
            tracing::warn!(
                "The provider is unavailable. The session is kept, and the layer retries the refresh."
            );
            Some(session.fail(sessions, error.retry_after()))
        }
    }
}

async fn store(
    sessions: &Arc<Sessions>,
    session: &Session,
    plan: &Plan,
    tokens: Tokens,
    lease: Option<&mut Lease>,
) -> Option<Refreshed> {
    let (orphan, hint) = tokens.revocable();
    let Some(known) = identity(sessions, session, &tokens) else {
        sessions.provider.revoke(plan.grant.credentials.clone(), orphan, hint);
        sessions.sign_out(session.id()).await;
        return Some(Refreshed::Refused);
    };
    let issue = Issue::new(tokens.lifetime, sessions.now());
    let token = session.with_token(&tokens.bearer, issue);
    // RFC 6749 §6: without a new refresh token the old one stays.
    let refresh_token = tokens.refresh_token.or_else(|| plan.grant.refresh_token.clone());
    let grant = Grant { refresh_token, credentials: plan.grant.credentials.clone() };
    let rotated = match lease {
        None => session.rotate(sessions, &token, grant, known),
        Some(lease) => match lease.write(plan, &token, &grant, known).await {
            Ok(Written::Ours) => Ok(()),
            Ok(Written::Theirs) => {
                tracing::warn!(
                    "Another node refreshed the session at the same time. This node uses its token."
                );
                return None;
            }
            Err(ended) => Err(ended),
        },
    };
    Some(match rotated {
        Ok(()) => {
            tracing::debug!("refreshed");
            // This node may have read a newer one already.
            Refreshed::Token(sessions.table.current(session).unwrap_or(token))
        }
        Err(Ended::SignedOut) => {
            tracing::debug!("the user signed out during the refresh; the layer revokes the new token");
            session.end(&sessions.table, Phase::SignedOut);
            sessions.provider.revoke(plan.grant.credentials.clone(), orphan, hint);
            Refreshed::Ended
        }
        Err(Ended::Dropped) => {
            session.end(&sessions.table, Phase::Dropped);
            Refreshed::Ended
        }
    })
}

/// Returns the user's claims after the refresh. `None` ends the session: it became another user's, or its user may no
/// longer enter.
fn identity(sessions: &Sessions, session: &Session, tokens: &Tokens) -> Option<Option<Claims>> {
    let current = sessions.table.current(session);
    let of_current = current.and_then(|token| Claims::of(token.access_token()));
    let known = session.lock().known().cloned().or(of_current);
    let refreshed = Claims::of(tokens.access_token());
    let Ok(combined) = Claims::combined(known, refreshed.clone()) else {
        tracing::error!(
            "The provider's refresh returned a token of another user or workspace. The session ends. Report this to the \
             provider."
        );
        return None;
    };
    let user = combined.clone().map(|claims| OscUser::new(claims, sessions.provider.issuer.shared()));
    if !sessions.admission.admits(user.as_ref()) {
        tracing::info!("The user is no longer allowed to use the app. The session ends.");
        return None;
    }
    Some(combined.filter(|combined| refreshed.as_ref() != Some(combined)))
}

async fn refuse(
    sessions: &Arc<Sessions>,
    session: &Session,
    plan: &Plan,
    lease: Option<&mut Lease>,
) -> Option<Refreshed> {
    let Some(lease) = lease else {
        session.refuse(&sessions.table);
        return Some(Refreshed::Refused);
    };
    match lease.refuse(plan.rotation).await {
        Err(_) => Some(session.fail(sessions, None)),
        Ok(false) => None,
        Ok(true) => {
            // Not looked at in the `match` itself: that would keep the session locked while it fails.
            let (rotation, phase) = session.rotation_and_phase();
            match phase {
                // Another node was faster, and that is why.
                _ if rotation > plan.rotation => None,
                // A store that was taken back, and is not yet forward again.
                Phase::Live => Some(session.fail(sessions, None)),
                Phase::Refused => Some(Refreshed::Refused),
                Phase::SignedOut | Phase::Dropped => Some(Refreshed::Ended),
            }
        }
    }
}

impl Session {
    fn rotation_and_phase(&self) -> (u64, Phase) {
        let state = self.lock();
        (state.rotation(), state.phase())
    }

    /// Makes what a refresh brought the session's own, where there is no store.
    fn rotate(
        &self,
        sessions: &Sessions,
        token: &OscToken,
        grant: Grant,
        known: Option<Claims>,
    ) -> Result<(), Ended> {
        let mut state = self.lock();
        ended(state.phase())?;
        state.renew(grant.refresh_token, sessions.provider.registered(grant.credentials), 0);
        state.know(known);
        sessions.table.show(self, Some(token.clone()));
        Ok(())
    }

    pub(super) fn refuse(&self, table: &Table) {
        let mut state = self.lock();
        if state.phase() == Phase::Live {
            state.enter(Phase::Refused);
            table.show(self, None);
        }
    }

    pub(super) fn fail(&self, sessions: &Sessions, retry_after: Option<Duration>) -> Refreshed {
        let now = sessions.now();
        let mut state = self.lock();
        let backoff = state.back_off();
        backoff.fail(now, retry_after, rand::random());
        Refreshed::Unavailable { retry_after: backoff.wait(now).unwrap_or(RETRY_AFTER) }
    }
}
