//! Writes. Those that wait while the file is written share the next transaction, and so one `fsync`.

use std::error::Error;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::database::{Database, read};
use super::statements::{CREATE, DELETE, SWAP, SWEEP, TOUCH};
use crate::store::sql::{found, millis, time};
use crate::store::{StoreError, Swap, Swapped, Version};

/// A change to one entry.
pub(super) struct Write {
    pub(super) namespace: Arc<str>,
    pub(super) key: String,
    pub(super) change: Change,
}

pub(super) enum Change {
    Swap {
        expected: Option<Version>,
        version: Version,
        value: Vec<u8>,
        expires_in: Option<i64>,
        group: Option<String>,
    },
    Touch {
        expected: Version,
        expires_in: Duration,
    },
    Delete {
        expected: Version,
    },
}

type Answer = Result<Swapped, StoreError>;

/// The writes that wait for the file.
#[derive(Default)]
pub(super) struct Queue(Mutex<Vec<(Write, oneshot::Sender<Answer>)>>);

impl From<Swap<'_>> for Change {
    fn from(swap: Swap<'_>) -> Self {
        Self::Swap {
            expected: swap.expected,
            version: swap.version,
            value: swap.value.to_vec(),
            expires_in: swap.expires_in.map(millis),
            group: swap.group.map(str::to_owned),
        }
    }
}

impl Database {
    /// Writes, and returns after the commit.
    ///
    /// A task of its own writes, so that layers are notified of a change even if the caller gives up.
    pub(super) async fn write(self: &Arc<Self>, write: Write) -> Answer {
        let (done, answer) = oneshot::channel();
        self.queue.0.lock().push((write, done));
        tokio::spawn(self.clone().write_all());
        answer.await.unwrap_or_else(|_| Err(StoreError::new("the runtime has ended")))
    }

    /// Writes everything that waits. Another task may have done so already.
    async fn write_all(self: Arc<Self>) {
        let held = self.hold().await;
        let mut batch = mem::take(&mut *self.queue.0.lock());
        batch.retain(|(_, done)| !done.is_closed());
        if batch.is_empty() {
            return;
        }
        let written = match held {
            Ok(mut held) => {
                let written = commit(held.connection(), &batch).await;
                held.settle(written)
            }
            Err(error) => Err(error),
        };
        // After an error too, because a commit that failed may have reached the disk.
        for (write, _) in &batch {
            if !matches!(write.change, Change::Touch { .. }) {
                self.watchers.changed(&write.key);
            }
        }
        match written {
            Ok(answers) => {
                for ((_, done), answer) in batch.into_iter().zip(answers) {
                    let _ = done.send(answer);
                }
            }
            Err(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                for (_, done) in batch {
                    let _ = done.send(Err(StoreError::new(cause.clone())));
                }
            }
        }
    }
}

async fn commit(
    connection: &mut SqliteConnection,
    batch: &[(Write, oneshot::Sender<Answer>)],
) -> Result<Vec<Answer>, sqlx::Error> {
    // The file is locked from the start, so nothing changes between a write that fails and the read.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut answers = Vec::new();
    for (write, _) in batch {
        answers.push(write.apply(&mut transaction).await?);
    }
    transaction.commit().await?;
    Ok(answers)
}

impl Write {
    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Answer, sqlx::Error> {
        match &self.change {
            Change::Swap { expected, version, value, expires_in, group } => {
                let query = sqlx::query_scalar(if expected.is_some() { SWAP } else { CREATE })
                    .bind(&*self.namespace)
                    .bind(&self.key)
                    .bind(&version.as_bytes()[..])
                    .bind(value)
                    .bind(expires_in)
                    .bind(group);
                let query = match expected {
                    Some(expected) => query.bind(&expected.as_bytes()[..]),
                    None => query,
                };
                let Some(now) = query.fetch_optional(&mut *connection).await? else {
                    let row = read(connection, &self.namespace, &self.key).await?;
                    return Ok(found(&row).map(Swapped::Conflict));
                };
                if expected.is_none() {
                    // Two for each new entry, so that the table shrinks again after a burst.
                    sqlx::query(SWEEP).bind(2).execute(connection).await?;
                }
                Ok(Ok(Swapped::Done { now: time(now) }))
            }
            Change::Touch { expected, expires_in } => {
                let query = sqlx::query(TOUCH).bind(&*self.namespace).bind(&self.key);
                query.bind(&expected.as_bytes()[..]).bind(millis(*expires_in)).execute(connection).await?;
                Ok(Ok(Swapped::Done { now: SystemTime::now() }))
            }
            Change::Delete { expected } => {
                let query = sqlx::query(DELETE).bind(&*self.namespace).bind(&self.key);
                query.bind(&expected.as_bytes()[..]).execute(connection).await?;
                Ok(Ok(Swapped::Done { now: SystemTime::now() }))
            }
        }
    }
}
