//! The places where the nodes keep their sessions.

use osc_tests::{PostgresServer, RedisServer, SqliteFile};

pub(crate) enum Place {
    Redis(RedisServer),
    Postgres(PostgresServer),
    Sqlite(SqliteFile),
}

impl Place {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis(redis) => redis.url(),
            Self::Postgres(postgres) => postgres.url(),
            Self::Sqlite(file) => file.url(),
        }
    }

    /// Kills the server.
    pub(super) fn kill(&mut self) {
        match self {
            Self::Redis(redis) => redis.kill(),
            Self::Postgres(postgres) => postgres.kill(),
            Self::Sqlite(_) => panic!("a file has no server"),
        }
    }

    pub(super) async fn restart(&mut self) {
        match self {
            Self::Redis(redis) => redis.restart().await,
            Self::Postgres(postgres) => postgres.restart().await,
            Self::Sqlite(_) => panic!("a file has no server"),
        }
    }

    pub(super) fn redis(&self) -> &RedisServer {
        match self {
            Self::Redis(redis) => redis,
            _ => panic!("this test is about Redis"),
        }
    }
}
