//! The problems with an SQLite file, in words that help. SQLite's own texts contain no values.

use crate::store::StoreError;

fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Returns true if the connection is as good as before: another one held the lock for too long.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| [5, 6].contains(&(code & 0xff)))
}

pub(super) fn problem(error: sqlx::Error) -> StoreError {
    let code = code(&error);
    let remedy = match code.map(|code| code & 0xff) {
        Some(1) if is_about_the_shape(&error) => {
            "the file has another table named osc_auth_sessions; rename it, or name another file"
        }
        Some(5 | 6) => "another program holds the file's lock; end its transaction",
        Some(8) => "the file is read-only; let the app write to it and to its directory",
        Some(10) => "the disk failed; check it, and the space on it",
        Some(11) => "the file is damaged; restore a backup, or delete the file and users sign in again",
        Some(13) => "the disk is full; make room",
        Some(14) => "the file cannot be opened; create its directory, and let the app write there",
        Some(26) => "the file is not an SQLite database; name another file",
        // The text of sqlx contains its cause already.
        _ => return StoreError::new(error.to_string()),
    };
    StoreError::new(format!("{remedy} (SQLite's code {})", code.unwrap_or_default()))
}

fn is_about_the_shape(error: &sqlx::Error) -> bool {
    let text = error.as_database_error().map(|error| error.message()).unwrap_or_default();
    ["no such column", "no column named", "ON CONFLICT clause", "views may not be", "cannot modify"]
        .iter()
        .any(|part| text.contains(part))
}
