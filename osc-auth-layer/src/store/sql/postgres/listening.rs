//! Notifies the layers of changes, as long as there is a layer.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::future::select;
use sqlx::Row;
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use tokio::time::{sleep, timeout};

use super::Database;
use super::connections::Source;
use super::problem::problem;
use super::statements::{NOTIFY, SESSION, SWEEP};
use crate::clock::Pauses;
use crate::secret::random_token;
use crate::store::StoreError;
use crate::store::sql::{LIMIT, MOST_SWEPT, SWEEP_EVERY};

/// A canary is sent this often. While it comes back, notifications are known to arrive.
const CANARY_EVERY: Duration = Duration::from_millis(400);
const CANARY_LIMIT: Duration = Duration::from_secs(1);
const RECONNECT: Pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(1));
/// The pause after canaries were lost although the server answers, as behind a pooler.
const LONG_PAUSE: Duration = Duration::from_secs(60);
/// This many losses in a row are no passing fault.
const LOSSES_TO_LOG: u32 = 3;
/// How often a pooler is looked for before the first `LISTEN`. That would stay with a session that other clients use too.
const LOOKS: usize = 3;

pub(super) async fn run(database: Weak<Database>) {
    let (listening, sweeping) = (keep_listening(database.clone()), keep_sweeping(database));
    select(std::pin::pin!(listening), std::pin::pin!(sweeping)).await;
}

fn needed(database: &Weak<Database>) -> Option<Arc<Database>> {
    database.upgrade().filter(|database| database.watchers.is_needed())
}

async fn keep_sweeping(database: Weak<Database>) {
    while let Some(strong) = needed(&database) {
        // If it fails, the expired rows stay for another round.
        let _ = strong.connections.ask(|| sqlx::query(SWEEP).bind(MOST_SWEPT)).await;
        drop(strong);
        sleep(SWEEP_EVERY).await;
    }
}

async fn keep_listening(database: Weak<Database>) {
    let (mut pauses, mut losses) = (RECONNECT, 0);
    while let Some(strong) = needed(&database) {
        let ended = strong.listen(&mut losses).await;
        strong.watchers.stop();
        drop(strong);
        match ended {
            Ok(()) => pauses = RECONNECT,
            Err(cause) => tracing::debug!(%cause, "PostgreSQL stopped sending notifications of changes"),
        }
        let pause = if losses >= LOSSES_TO_LOG { LONG_PAUSE } else { pauses.next() };
        sleep(pause).await;
    }
}

/// A pool of one connection, without the checks with which the app's own pool would wait for a lost one.
struct OwnPool(PgPool);

impl Drop for OwnPool {
    fn drop(&mut self) {
        // Marks it closed at once, so that the listener's connection does not return to it.
        drop(self.0.close());
    }
}

/// Returns the number of the server's session that serves the listener.
async fn session(listener: &mut PgListener) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql(SESSION).fetch_one(listener).await?.try_get(0)
}

/// Returns true if the listener's session changes, or is that of another connection: a pooler shares the sessions.
fn is_shared(own: i32, now: i32, other: i32) -> bool {
    now != own || other == own
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Notified {
    Arrived,
    Lost,
    /// A pooler shares the server's sessions, so there is none.
    Shared,
}

impl Database {
    /// Notifies the layers for as long as the connection lasts and the canaries come back.
    async fn listen(&self, losses: &mut u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (_pool, mut listener, session) = self.open_listener().await?;
        let canary = format!("canary:{}", random_token::<12>());
        for _ in 0..LOOKS {
            let notifying = self.notify(&canary).await?;
            self.check_sessions(&mut listener, session, notifying, losses).await?;
        }
        timeout(LIMIT, listener.listen(&self.channel)).await??;
        self.watchers.begin();
        while self.watchers.is_needed() {
            let sent_at = Instant::now();
            let notifying = self.notify(&canary).await?;
            match timeout(CANARY_LIMIT, self.hear(&mut listener, Some(&canary))).await {
                Ok(is_heard) => {
                    if !is_heard? {
                        return Ok(());
                    }
                }
                Err(late) => {
                    *losses += 1;
                    if *losses == LOSSES_TO_LOG {
                        tracing::info!(
                            "PostgreSQL sends no notifications of changes. Until it does, each request with a session asks it."
                        );
                    }
                    return Err(late.into());
                }
            }
            self.check_sessions(&mut listener, session, notifying, losses).await?;
            if mem::take(losses) >= LOSSES_TO_LOG {
                tracing::info!("PostgreSQL sends notifications of changes again.");
            }
            self.watchers.confirm(sent_at);
            // An end before the pause means that the connection is lost.
            if timeout(CANARY_EVERY, self.hear(&mut listener, None)).await.is_ok() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Opens a connection that can listen. Returns the number of its session too.
    async fn open_listener(&self) -> Result<(OwnPool, PgListener, i32), sqlx::Error> {
        let options = match &self.connections.source {
            Source::Server(options) => (**options).clone(),
            Source::Pool(pool) => (*pool.connect_options()).clone(),
        };
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(LIMIT).max_lifetime(None);
        let pool = OwnPool(pool.connect_lazy_with(options));
        let connecting = async {
            let mut listener = PgListener::connect_with(&pool.0).await?;
            listener.eager_reconnect(false);
            let session = session(&mut listener).await?;
            Ok::<_, sqlx::Error>((listener, session))
        };
        let opened = timeout(LIMIT, connecting).await.map_err(|late| sqlx::Error::Io(late.into()))?;
        let (listener, session) = opened?;
        Ok((pool, listener, session))
    }

    /// Finds out whether a notification arrives, over a connection of its own.
    pub(super) async fn try_to_notify(&self) -> Result<Notified, StoreError> {
        let (_pool, mut listener, own) = self.open_listener().await.map_err(problem)?;
        let canary = format!("canary:{}", random_token::<12>());
        for _ in 0..LOOKS {
            let other = self.notify(&canary).await?;
            let now = timeout(LIMIT, session(&mut listener)).await.map_err(StoreError::new)?;
            if is_shared(own, now.map_err(problem)?, other) {
                return Ok(Notified::Shared);
            }
        }
        let arriving = async {
            listener.listen(&self.channel).await.map_err(problem)?;
            self.notify(&canary).await?;
            while let Some(notification) = listener.try_recv().await.map_err(problem)? {
                if notification.payload() == canary {
                    return Ok(Notified::Arrived);
                }
            }
            Ok::<_, StoreError>(Notified::Lost)
        };
        timeout(CANARY_LIMIT, arriving).await.unwrap_or(Ok(Notified::Lost))
    }

    /// Sends a notification. Returns the number of the server's session that sent it.
    async fn notify(&self, payload: &str) -> Result<i32, StoreError> {
        let rows = self.connections.ask(|| sqlx::query(NOTIFY).bind(&*self.channel).bind(payload)).await?;
        let session = rows.first().and_then(|row| row.try_get(0).ok());
        session.ok_or_else(|| StoreError::new("PostgreSQL returned no session"))
    }

    /// Fails if a pooler shares the server's sessions among connections. Then notifications may come or not, by chance.
    async fn check_sessions(
        &self,
        listener: &mut PgListener,
        own: i32,
        other: i32,
        losses: &mut u32,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let now = timeout(LIMIT, session(listener)).await??;
        if !is_shared(own, now, other) {
            return Ok(());
        }
        if *losses < LOSSES_TO_LOG {
            tracing::info!(
                "A pooler shares the connections to PostgreSQL, so no notifications arrive. Each request with a session asks the database."
            );
            *losses = LOSSES_TO_LOG;
        }
        Err("a pooler shares the connections".into())
    }

    /// Passes notifications on until the canary comes. Returns false if the connection is lost.
    async fn hear(&self, listener: &mut PgListener, canary: Option<&str>) -> Result<bool, sqlx::Error> {
        while let Some(notification) = listener.try_recv().await? {
            let payload = notification.payload();
            if Some(payload) == canary {
                return Ok(true);
            }
            self.watchers.changed(payload);
        }
        Ok(false)
    }
}
