//! The SQL of the store in PostgreSQL.

macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

macro_rules! schema {
    () => {
        "\
CREATE TABLE IF NOT EXISTS osc_auth_sessions (
    namespace text NOT NULL,
    key text NOT NULL,
    version bytea NOT NULL,
    value bytea NOT NULL,
    expires_at bigint NOT NULL, -- milliseconds since 1970
    user_group text,
    PRIMARY KEY (namespace, key)
);
CREATE INDEX IF NOT EXISTS osc_auth_sessions_expiry ON osc_auth_sessions (expires_at);
CREATE INDEX IF NOT EXISTS osc_auth_sessions_group ON osc_auth_sessions (namespace, user_group) WHERE user_group IS NOT NULL;
"
    };
}

pub(super) const SCHEMA: &str = schema!();
/// Of nodes that make the table at the same time, all but one would fail without the lock, which ends with the transaction.
pub(super) const MAKE_TABLE: &str =
    concat!("SELECT pg_advisory_xact_lock(7307497025113580911);\n", schema!());
pub(super) const EXISTS: &str = "SELECT to_regclass('osc_auth_sessions') IS NOT NULL";

/// Returns whether the server is read-only, whether the table exists and can be made, and the privileges on it.
pub(super) const RIGHTS: &str = "\
    SELECT pg_is_in_recovery(), to_regclass('osc_auth_sessions') IS NOT NULL, \
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), \
    coalesce(has_table_privilege(to_regclass('osc_auth_sessions'), 'SELECT'), false), \
    coalesce(has_table_privilege(to_regclass('osc_auth_sessions'), 'INSERT'), false), \
    coalesce(has_table_privilege(to_regclass('osc_auth_sessions'), 'UPDATE'), false), \
    coalesce(has_table_privilege(to_regclass('osc_auth_sessions'), 'DELETE'), false)";

pub(super) const GET: &str = concat!(
    "SELECT ",
    now!(),
    ", version, value, expires_at FROM (SELECT 1) AS one \
     LEFT JOIN osc_auth_sessions ON namespace = $1 AND key = $2 AND expires_at > ",
    now!()
);
pub(super) const CREATE: &str = concat!(
    "WITH swapped AS (INSERT INTO osc_auth_sessions AS held (namespace, key, version, value, user_group, expires_at) \
     VALUES ($1, $2, $3, $4, $7, ",
    now!(),
    " + $5) \
     ON CONFLICT (namespace, key) DO UPDATE \
     SET version = excluded.version, value = excluded.value, expires_at = excluded.expires_at, \
     user_group = excluded.user_group \
     WHERE held.expires_at <= ",
    now!(),
    " RETURNING 1) \
     SELECT ",
    now!(),
    ", pg_notify($6, $2)::text FROM swapped"
);
pub(super) const SWAP: &str = concat!(
    "WITH swapped AS (UPDATE osc_auth_sessions SET version = $3, value = $4, user_group = $7, \
     expires_at = coalesce(",
    now!(),
    " + $5, expires_at) \
     WHERE namespace = $1 AND key = $2 AND version = $8 AND expires_at > ",
    now!(),
    " RETURNING 1) \
     SELECT ",
    now!(),
    ", pg_notify($6, $2)::text FROM swapped"
);
/// Notifies nobody, because a `NOTIFY` costs most of a commit's speed.
pub(super) const TOUCH: &str = concat!(
    "UPDATE osc_auth_sessions SET expires_at = greatest(expires_at, ",
    now!(),
    " + $4) \
     WHERE namespace = $1 AND key = $2 AND version = $3 AND expires_at > ",
    now!()
);
pub(super) const DELETE: &str = "\
    WITH deleted AS (DELETE FROM osc_auth_sessions WHERE namespace = $1 AND key = $2 AND version = $3 RETURNING 1) \
    SELECT pg_notify($4, $2)::text FROM deleted";
pub(super) const MEMBERS: &str = concat!(
    "SELECT key FROM osc_auth_sessions WHERE namespace = $1 AND user_group = $2 AND expires_at > ",
    now!()
);
/// Skips rows that another node removes. The time of the statement, unlike the clock's, lets the server use the index.
pub(super) const SWEEP: &str = "\
    DELETE FROM osc_auth_sessions WHERE ctid = ANY (ARRAY( \
    SELECT ctid FROM osc_auth_sessions \
    WHERE expires_at <= (extract(epoch FROM statement_timestamp()) * 1000)::bigint \
    LIMIT $1 FOR UPDATE SKIP LOCKED))";
/// Also returns the number of the session that notified.
pub(super) const NOTIFY: &str = "SELECT pg_backend_pid(), pg_notify($1, $2)::text";
pub(super) const SESSION: &str = "SELECT pg_backend_pid()";
