//! The SQL of the store in SQLite.

macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
}

pub(super) const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS osc_auth_sessions (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    version BLOB NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER NOT NULL, -- milliseconds since 1970
    user_group TEXT,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS osc_auth_sessions_expiry ON osc_auth_sessions (expires_at);
CREATE INDEX IF NOT EXISTS osc_auth_sessions_group ON osc_auth_sessions (namespace, user_group) WHERE user_group IS NOT NULL;
";

pub(super) const GET: &str = concat!(
    "SELECT ",
    now!(),
    ", version, value, expires_at FROM (SELECT 1) \
     LEFT JOIN osc_auth_sessions ON namespace = ?1 AND key = ?2 AND expires_at > ",
    now!()
);
pub(super) const CREATE: &str = concat!(
    "INSERT INTO osc_auth_sessions (namespace, key, version, value, user_group, expires_at) \
     VALUES (?1, ?2, ?3, ?4, ?6, ",
    now!(),
    " + ?5) \
     ON CONFLICT (namespace, key) DO UPDATE \
     SET version = excluded.version, value = excluded.value, expires_at = excluded.expires_at, \
     user_group = excluded.user_group \
     WHERE osc_auth_sessions.expires_at <= ",
    now!(),
    " RETURNING ",
    now!()
);
pub(super) const SWAP: &str = concat!(
    "UPDATE osc_auth_sessions SET version = ?3, value = ?4, user_group = ?6, expires_at = iif(?5 IS NULL, expires_at, ",
    now!(),
    " + ?5) \
     WHERE namespace = ?1 AND key = ?2 AND version = ?7 AND expires_at > ",
    now!(),
    " RETURNING ",
    now!()
);
pub(super) const TOUCH: &str = concat!(
    "UPDATE osc_auth_sessions SET expires_at = max(expires_at, ",
    now!(),
    " + ?4) \
     WHERE namespace = ?1 AND key = ?2 AND version = ?3 AND expires_at > ",
    now!()
);
pub(super) const DELETE: &str =
    "DELETE FROM osc_auth_sessions WHERE namespace = ?1 AND key = ?2 AND version = ?3";
pub(super) const MEMBERS: &str = concat!(
    "SELECT key FROM osc_auth_sessions WHERE namespace = ?1 AND user_group = ?2 AND expires_at > ",
    now!()
);
pub(super) const SWEEP: &str = concat!(
    "DELETE FROM osc_auth_sessions WHERE (namespace, key) IN \
     (SELECT namespace, key FROM osc_auth_sessions WHERE expires_at <= ",
    now!(),
    " LIMIT ?1)"
);
