//! The app's own data: one note per user. A real app has a database; the keys would be the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use osc_auth_layer::OscUser;

const LONGEST: usize = 500;
const MOST: usize = 10_000;

/// Notes by [`OscUser::key`]: a note is its user's own. Where the provider does not name the user, colleagues share one by
/// [`OscUser::workspace_key`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<HashMap<String, String>>>);

impl Notes {
    pub(crate) fn of(&self, user: &OscUser) -> String {
        self.lock().get(&key(user)).cloned().unwrap_or_default()
    }

    /// Keeps up to 500 characters.
    pub(crate) fn keep(&self, user: &OscUser, note: &str) {
        let (key, note) = (key(user), note.trim().chars().take(LONGEST).collect::<String>());
        let mut notes = self.lock();
        if note.is_empty() {
            notes.remove(&key);
        } else if notes.len() < MOST || notes.contains_key(&key) {
            notes.insert(key, note);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(user: &OscUser) -> String {
    user.key().unwrap_or_else(|| user.workspace_key())
}
