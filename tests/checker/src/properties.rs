//! The properties that hold in every state.

use stateright::Property;

use crate::model::Config;
use crate::record::{Ending, Standing};
use crate::state::{State, ending_of, token_of};

pub(crate) const EVERY_REFRESH: &str = "every refresh succeeds";

pub(crate) fn all() -> Vec<Property<Config>> {
    vec![
        Property::always("no refresh token is sent twice", |_, state: &State| !state.seen.doubled),
        Property::always("no tokens are lost", |_, state: &State| {
            let is_excused = state.seen.excuse || state.seen.ending || state.seen.expiry;
            is_excused || !state.is_quiet() || !state.is_granted || state.is_up_to_date()
        }),
        Property::always("only a sign-out revokes the grant", |_, state: &State| {
            state.is_granted || state.seen.sign_out || state.seen.foreign_ending || state.seen.excuse
        }),
        Property::always("an ended session stays ended", |_, state: &State| !state.seen.revived),
        Property::always("no write replaces a newer record", |_, state: &State| !state.seen.overwritten),
        Property::always("an expired session stays absent", |_, state: &State| {
            !state.seen.expiry || state.store.is_none() || state.seen.set_back
        }),
        Property::always("a sign-out revokes the newest tokens", |_, state: &State| {
            let has_ended =
                state.store.as_ref().and_then(|entry| ending_of(&entry.record)) == Some(Ending::SignedOut);
            let is_excused = state.seen.excuse || state.seen.expiry || state.seen.foreign_ending;
            !state.is_quiet() || !state.seen.sign_out || !has_ended || is_excused || !state.is_granted
        }),
        Property::always("no node forgets anything newer", |_, state: &State| !state.seen.forgotten),
        Property::always("a store that was set back is brought forward", |_, state: &State| {
            let Some(entry) = &state.store else { return true };
            let mut known =
                state.nodes.iter().filter(|node| !node.has_ended()).filter_map(|node| node.known.as_ref());
            !state.is_quiet() || !known.any(|known| known.record.is_newer_than(&entry.record))
        }),
        Property::always("no lease is left behind", |_, state: &State| {
            let lease = state.store.as_ref().and_then(|entry| entry.record.lease.as_ref());
            let is_excused =
                state.seen.crash || state.seen.set_back || state.nodes.iter().any(|node| node.has_ended());
            !state.is_quiet() || is_excused || lease.is_none()
        }),
        Property::sometimes(EVERY_REFRESH, |config: &Config, state: &State| {
            let entry = state.store.as_ref();
            entry.is_some_and(|entry| {
                entry.record.rotation == config.refreshes + 1
                    && matches!(entry.record.standing, Standing::Live(_))
            })
        }),
    ]
}

impl State {
    /// Returns true if nothing is under way, and every node knows what the store holds.
    fn is_quiet(&self) -> bool {
        let version = self.store.as_ref().map(|entry| entry.version);
        self.strays.is_empty()
            && self.nodes.iter().all(|node| {
                let known = node.known.as_ref().filter(|_| !node.has_ended());
                node.is_idle() && known.is_none_or(|known| Some(known.version) == version)
            })
    }

    fn is_up_to_date(&self) -> bool {
        self.store.as_ref().is_some_and(|entry| token_of(&entry.record) == Some(self.valid))
    }
}
