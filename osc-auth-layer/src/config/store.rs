//! The store that a URL names.

use std::sync::Arc;

use crate::error::ConfigError;
#[cfg(feature = "postgres")]
use crate::store::PostgresStore;
#[cfg(feature = "redis")]
use crate::store::RedisStore;
use crate::store::SessionStore;
#[cfg(feature = "sqlite")]
use crate::store::SqliteStore;

const SETTING: &str = "SESSION_STORE / store_url";

/// Returns the store of this URL, or `None` for `memory:`. The errors do not quote the URL, because it may contain a password.
pub(super) fn from_url(url: &str) -> Result<Option<Arc<dyn SessionStore>>, ConfigError> {
    if url == "memory:" {
        return Ok(None);
    }
    let feature = match url.split_once(':').unwrap_or_default().0 {
        "sqlite" => "sqlite",
        "postgres" | "postgresql" => "postgres",
        "redis" | "rediss" | "valkey" | "valkeys" | "unix" | "redis+unix" | "valkey+unix" => "redis",
        _ => {
            let remedy = "Set it to memory:, sqlite:sessions.db, postgres://user:password@host/database, \
                          redis://user:password@host, rediss:// for TLS, or unix:///path/to/redis.sock.";
            return Err(ConfigError::invalid(SETTING, "is the URL of no session store", remedy));
        }
    };
    match feature {
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Some(Arc::new(SqliteStore::from_url(url)?))),
        #[cfg(feature = "postgres")]
        "postgres" => Ok(Some(Arc::new(PostgresStore::from_url(url)?))),
        #[cfg(feature = "redis")]
        "redis" => Ok(Some(Arc::new(RedisStore::from_url(url)?))),
        _ => {
            let problem = format!("needs the feature {feature} of osc-auth-layer, which is not enabled");
            let remedy = "Add it to the features of osc-auth-layer in Cargo.toml.";
            Err(ConfigError::invalid(SETTING, problem, remedy))
        }
    }
}
