//! The connections for operations: the store's own, or those of the app's pool.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Postgres};
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, SemaphorePermit};
use tokio::time::timeout_at;

use super::problem::{Next, next, problem};
use super::statements::{EXISTS, MAKE_TABLE};
use crate::store::StoreError;
use crate::store::sql::LIMIT;

const MOST: usize = 4;
/// A firewall may have forgotten a connection that was idle for longer.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
const TRIES: u32 = 3;

#[derive(Clone)]
pub(super) enum Source {
    Server(Box<PgConnectOptions>),
    Pool(PgPool),
}

pub(super) struct Connections {
    pub(super) source: Source,
    permits: Semaphore,
    opening: AsyncMutex<()>,
    returned: Notify,
    idle: Mutex<Vec<(PgConnection, Instant)>>,
    has_table: AtomicBool,
}

/// A connection in use. Dropping it closes the connection, because it may be lost, or in the middle of an answer.
enum Held<'c> {
    Own(PgConnection, SemaphorePermit<'c>),
    Pool(Pooled),
}

struct Pooled(Option<PoolConnection<Postgres>>);

impl Drop for Pooled {
    fn drop(&mut self) {
        // The pool would wait for an answer on the connection, if need be for ever.
        drop(self.0.take().map(PoolConnection::detach));
    }
}

impl Held<'_> {
    fn connection(&mut self) -> &mut PgConnection {
        match self {
            Self::Own(connection, _) => connection,
            Self::Pool(Pooled(connection)) => connection.as_mut().expect("it is held"),
        }
    }
}

impl Connections {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            permits: Semaphore::new(MOST),
            opening: AsyncMutex::default(),
            returned: Notify::new(),
            idle: Mutex::default(),
            has_table: AtomicBool::new(false),
        }
    }

    /// Sends a query, and returns the rows of the answer.
    pub(super) async fn ask<'q>(
        &self,
        query: impl Fn() -> Query<'q, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let deadline = (Instant::now() + LIMIT).into();
        let mut tries = 0;
        loop {
            tries += 1;
            let started = Instant::now();
            let answer = timeout_at(deadline, self.try_once(query())).await;
            let error = match answer {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => error,
                Err(_) => {
                    self.drop_unused_since(started);
                    return Err(StoreError::new(
                        "PostgreSQL did not answer in time; check its host, port and load",
                    ));
                }
            };
            match next(&error) {
                Next::Repeat => {}
                Next::Reconnect => self.drop_unused_since(started),
                Next::MakeTable => self.has_table.store(false, Ordering::SeqCst),
                Next::GiveUp => tries = TRIES,
            }
            if tries >= TRIES {
                return Err(problem(error));
            }
        }
    }

    async fn try_once(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut held = self.hold().await?;
        if !self.has_table.load(Ordering::SeqCst) {
            make_table(held.connection()).await?;
            self.has_table.store(true, Ordering::SeqCst);
        }
        let rows = query.fetch_all(held.connection()).await?;
        self.give_back(held);
        Ok(rows)
    }

    async fn hold(&self) -> Result<Held<'_>, sqlx::Error> {
        match &self.source {
            Source::Pool(pool) => Ok(Held::Pool(Pooled(Some(pool.acquire().await?)))),
            Source::Server(options) => {
                let permit = self.permits.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
                Ok(Held::Own(self.idle_or_new(options).await?, permit))
            }
        }
    }

    /// Returns an idle connection, or opens one. Opens one at a time, because that takes far longer than an operation: after a
    /// start, most operations are done over the first connection before there is another.
    async fn idle_or_new(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        loop {
            if let Some(connection) = self.take_idle() {
                return Ok(connection);
            }
            let (returned, turn) = (pin!(self.returned.notified()), pin!(self.opening.lock()));
            if let Either::Right((_turn, _)) = select(returned, turn).await {
                return match self.take_idle() {
                    Some(connection) => Ok(connection),
                    None => options.connect().await,
                };
            }
        }
    }

    fn take_idle(&self) -> Option<PgConnection> {
        let (connection, since) = self.idle.lock().pop()?;
        (since.elapsed() < LONGEST_IDLE).then_some(connection)
    }

    /// Closes the idle connections that may be lost too. One that answered after `started` is not lost, even if others are slow.
    fn drop_unused_since(&self, started: Instant) {
        self.idle.lock().retain(|(_, since)| *since > started);
    }

    fn give_back(&self, held: Held<'_>) {
        match held {
            Held::Own(connection, _permit) => {
                self.idle.lock().push((connection, Instant::now()));
                self.returned.notify_one();
            }
            Held::Pool(mut pooled) => drop(pooled.0.take()),
        }
    }
}

async fn make_table(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Asked first: a user who may not make tables gets an error even if the table exists.
    if !sqlx::query_scalar(EXISTS).fetch_one(&mut *connection).await? {
        sqlx::raw_sql(MAKE_TABLE).execute(connection).await?;
    }
    Ok(())
}
