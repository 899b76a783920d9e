//! Shared parts of the scenarios: an app behind the layer, a browser with a cookie jar, and a provider.

mod app;
mod browser;
mod certificates;
mod checks;
mod cookie_jar;
mod figures;
mod held_dns;
mod instructions;
mod logs;
mod nginx;
mod nodes;
mod postgres_server;
mod preflight;
mod proxy;
mod quick_clock;
mod redis_server;
mod rigged_store;
mod sample_node;
mod scripted;
pub mod signals;
mod socket;
mod spans;
mod sqlite_file;
mod stage;
mod still_clock;
mod tls_front;
mod traces;
mod vocabulary;
mod watched_clock;
mod workspace;

pub use app::{App, Body, app, boxed, echo, layer, layer_for, token_of};
pub use browser::{Answer, Browser, location, path_of};
pub use certificates::Certificates;
pub use checks::{assert_own, callback, first_link, header_bytes, is_page, parameter, refusal, tour};
pub use cookie_jar::CookieJar;
pub use figures::{figure, latencies, milliseconds};
pub use held_dns::HeldDns;
pub use instructions::{instructions, instructions_argument};
pub use logs::Logs;
pub use nginx::Nginx;
pub use nodes::{MovableClock, Node, Nodes, RunningClock};
pub use postgres_server::{PostgresDatabase, PostgresServer};
pub use preflight::{assert_found, assert_nothing_found, preflight};
pub use proxy::Proxy;
pub use quick_clock::QuickClock;
pub use redis_server::{Dump, Monitor, RedisServer};
pub use rigged_store::{Op, RiggedStore, StoreHold, Trouble, header};
pub use sample_node::{Line, LineError, NodeSetup, Sample, SampleNode, example};
pub use scripted::{Asking, Scripted};
pub use socket::{Server, SocketBrowser, free_port};
pub use spans::{SpanRecord, Spans};
pub use sqlite_file::SqliteFile;
pub use stage::{AHEAD, EXPIRED, LEEWAY, Stage, error_of, retry_after, soon};
pub use still_clock::StillClock;
pub use tls_front::TlsFront;
pub use traces::holds;
pub use vocabulary::{
    Documented, Exported, Exposition, Labels, Selector, Vocabulary, dashboard_queries, documented_alerts,
    documented_metrics, documented_spans, problems, repository_file, selectors,
};
pub use watched_clock::WatchedClock;
pub use workspace::{ADSERVER, Asked, Call, Calling, FFMPEG, LOOK, MINIO, VALKEY, calls, use_instance};
