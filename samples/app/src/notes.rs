//! The app's own data: one note per user. A real app would use a database with the same keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use osc_auth_layer::OscUser;

/// In characters, each line break counted once.
const LONGEST: usize = 500;
const MOST: usize = 10_000;

/// The notes by [`OscUser::key`], so that each note belongs to one user. If the provider does not name the
/// user, the key is [`OscUser::workspace_key`], and the users of a workspace share one note.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<HashMap<String, String>>>);

impl Notes {
    pub(crate) fn of(&self, user: &OscUser) -> String {
        self.lock().get(&key(user)).cloned().unwrap_or_default()
    }

    /// Stores a note. An empty note removes it.
    ///
    /// # Errors
    /// A sentence for the page, if the note is too long or there are too many notes.
    pub(crate) fn keep(&self, user: &OscUser, note: &str) -> Result<(), &'static str> {
        // Browsers send each line break as two characters.
        let note = note.trim().replace("\r\n", "\n");
        if note.chars().count() > LONGEST {
            return Err("The note was not saved, because it has more than 500 characters.");
        }
        let (key, mut notes) = (key(user), self.lock());
        if note.is_empty() {
            notes.remove(&key);
        } else if notes.len() < MOST || notes.contains_key(&key) {
            notes.insert(key, note);
        } else {
            return Err("The note was not saved, because this app holds as many notes as it can.");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(user: &OscUser) -> String {
    user.key().unwrap_or_else(|| user.workspace_key())
}
