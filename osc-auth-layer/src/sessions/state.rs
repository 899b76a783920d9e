//! The changing part of a session: whether it is alive, and what its next refresh spends.

use std::sync::{Arc, LazyLock};

use super::backoff::Backoff;
use super::claims::Claims;
use super::record::{Lease, Standing};
use super::sealed::Facts;
use crate::clock::Timestamp;
use crate::oauth::{Credentials, Grant, Provider};
use crate::secret::Secret;
use crate::store::Version;

#[derive(Default)]
pub(super) struct SessionState {
    pub(super) refresh_token: Option<Secret>,
    /// In a box of its own, because there are many sessions and most need nothing of this.
    particulars: Option<Box<Particulars>>,
}

/// The record in the store, as this node last saw it, without the tokens.
#[derive(Clone)]
pub(super) struct InStore {
    pub(super) version: Version,
    pub(super) lease: Option<Lease>,
    /// The time of the tokens, by the store's clock.
    pub(super) issued_at: Timestamp,
    pub(super) facts: Facts,
}

#[derive(Default)]
pub(super) struct Particulars {
    pub(super) standing: Standing,
    /// The newest rotation of the record that this process knows. 0 without a store.
    pub(super) rotation: u64,
    /// `None` without a store, or before the record is known.
    pub(super) in_store: Option<Box<InStore>>,
    /// The registered client of the session. `None` if the client is in the configuration.
    registered: Option<Arc<Credentials>>,
    /// Counts the failures since the last answer.
    pub(super) backoff: Option<Box<Backoff>>,
    /// The user that earlier tokens named, if the present token does not.
    pub(super) known: Option<Claims>,
    /// The last run of a refresh died after it had sent the grant, and before the answer came.
    pub(super) has_lost_answer: bool,
    /// When a token that an API had refused was last refreshed.
    pub(super) forced_at: Option<Timestamp>,
    /// Values that the modules above keep with the session, which find them by type.
    #[cfg(feature = "client")]
    extensions: http::Extensions,
}

/// The particulars of a session that has none of its own.
static NONE: LazyLock<Particulars> = LazyLock::new(Particulars::default);

impl SessionState {
    /// Begins anew with the tokens of the provider's last answer.
    pub(super) fn renew(
        &mut self,
        refresh_token: Option<Secret>,
        registered: Option<Arc<Credentials>>,
        rotation: u64,
    ) {
        self.refresh_token = refresh_token;
        if self.particulars.is_some() || rotation > 0 || registered.is_some() {
            let particulars = self.particulars_mut();
            (particulars.standing, particulars.backoff) = (Standing::Live(()), None);
            (particulars.rotation, particulars.registered) = (rotation, registered);
        }
    }

    /// Returns the next refresh's grant. `None` only if the registered client is not known, which no session has.
    pub(super) fn grant(&self, provider: &Provider) -> Option<Grant> {
        let registered = || self.particulars().registered.clone();
        let credentials = provider.static_client().or_else(registered)?;
        Some(Grant { refresh_token: self.refresh_token.clone(), credentials })
    }

    pub(super) fn particulars(&self) -> &Particulars {
        self.particulars.as_deref().unwrap_or(&NONE)
    }

    /// Returns the particulars for a change. Allocates them if there are none, so it is not for reading.
    pub(super) fn particulars_mut(&mut self) -> &mut Particulars {
        self.particulars.get_or_insert_default()
    }

    /// Ends it, for good or until newer tokens come. Drops its refresh token, and its workspace with the service access tokens.
    pub(super) fn enter(&mut self, standing: Standing) {
        self.refresh_token = None;
        let particulars = self.particulars_mut();
        particulars.standing = standing;
        #[cfg(feature = "client")]
        {
            particulars.extensions = http::Extensions::new();
        }
    }

    pub(super) fn know(&mut self, known: Option<Claims>) {
        if self.particulars.is_some() || known.is_some() {
            self.particulars_mut().known = known;
        }
    }

    pub(super) fn take_lost_answer(&mut self) -> bool {
        self.particulars.as_mut().is_some_and(|particulars| std::mem::take(&mut particulars.has_lost_answer))
    }

    /// Returns the value of this type. A session that has ended keeps none.
    #[cfg(feature = "client")]
    pub(super) fn extension<T: Default + Send + Sync + 'static>(&mut self) -> Arc<T> {
        match self.particulars().standing {
            Standing::Live(()) => self.particulars_mut().extensions.get_or_insert_default::<Arc<T>>().clone(),
            Standing::Refused | Standing::Ended(_) => Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::record::Ending;

    const NOT_LIVE: [Standing; 3] =
        [Standing::Refused, Standing::Ended(Ending::SignedOut), Standing::Ended(Ending::Dropped)];

    #[cfg(feature = "client")]
    #[derive(Default)]
    struct Workspace;

    #[test]
    fn a_session_that_is_not_live_has_no_refresh_token_until_newer_tokens_come() {
        for standing in NOT_LIVE {
            let mut state = SessionState::default();
            state.renew(Some(Secret::new("rt")), None, 1);
            state.particulars_mut().backoff = Some(Box::default());
            state.enter(standing);
            assert!(state.refresh_token.is_none(), "{standing:?}");
            state.renew(Some(Secret::new("newer")), None, 2);
            let particulars = state.particulars();
            assert_eq!((particulars.standing, particulars.rotation), (Standing::Live(()), 2));
            assert!(state.refresh_token.is_some() && particulars.backoff.is_none());
        }
    }

    #[cfg(feature = "client")]
    #[test]
    fn s61_the_workspace_goes_when_the_session_does_and_none_is_kept_after_it() {
        for standing in NOT_LIVE {
            let mut state = SessionState::default();
            let weak = Arc::downgrade(&state.extension::<Workspace>());
            assert!(weak.upgrade().is_some_and(|kept| Arc::ptr_eq(&kept, &state.extension::<Workspace>())));
            state.enter(standing);
            assert!(weak.upgrade().is_none(), "{standing:?}");
            assert_eq!(Arc::strong_count(&state.extension::<Workspace>()), 1, "{standing:?}");
        }
    }
}
