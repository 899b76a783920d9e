//! Counts the questions to a database.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use osc_auth_layer::store::{Found, SessionStore, StoreFuture, Swap, Swapped, Version, Watcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, Subscriber, set_global_default};
use tracing::{Event, Metadata};

#[derive(Clone, Default)]
pub(crate) struct Questions(Arc<AtomicUsize>);

impl Questions {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of questions since the last call.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Starts a proxy to PostgreSQL or Redis. A packet to the server is a question, because the contenders wait for the answer
/// before they send another.
pub(crate) async fn wire(server: SocketAddr, questions: Questions) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let (Ok((client, _)), Ok(server)) = (listener.accept().await, TcpStream::connect(server).await)
        {
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
            let questions = questions.clone();
            tokio::spawn(async move {
                let mut packet = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = from_client.read(&mut packet).await {
                    questions.add();
                    if to_server.write_all(&packet[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    addr
}

/// Counts the operations of a store, each of which is one question.
#[derive(Clone)]
pub(crate) struct Counted<S>(pub(crate) S, pub(crate) Questions);

impl<S: SessionStore> Counted<S> {
    fn ask(&self) -> &S {
        self.1.add();
        &self.0
    }
}

impl<S: SessionStore> SessionStore for Counted<S> {
    fn namespace(&self) -> &str {
        self.0.namespace()
    }

    fn get<'s>(&'s self, key: &'s str) -> StoreFuture<'s, Found> {
        self.ask().get(key)
    }

    fn swap<'s>(&'s self, key: &'s str, swap: Swap<'s>) -> StoreFuture<'s, Swapped> {
        self.ask().swap(key, swap)
    }

    fn touch<'s>(&'s self, key: &'s str, expected: Version, expires_in: Duration) -> StoreFuture<'s, ()> {
        self.ask().touch(key, expected, expires_in)
    }

    fn delete<'s>(&'s self, key: &'s str, expected: Version) -> StoreFuture<'s, ()> {
        self.ask().delete(key, expected)
    }

    fn members<'s>(&'s self, group: &'s str) -> StoreFuture<'s, Vec<String>> {
        self.ask().members(group)
    }

    fn watch(&self, watcher: Watcher) {
        self.0.watch(watcher);
    }
}

/// Counts the statements that sqlx logs.
pub(crate) fn of_sqlx() -> Questions {
    let questions = Questions::default();
    set_global_default(Statements(questions.clone())).expect("there is no other subscriber");
    questions
}

struct Statements(Questions);

fn is_statement(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "sqlx::query"
}

impl Subscriber for Statements {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_statement(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_statement(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, _: &Event<'_>) {
        self.0.add();
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
