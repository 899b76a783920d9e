//! What the scenarios share: an app behind the layer, a browser with a cookie jar, and a provider to sign in with.

mod app;
mod browser;
mod checks;
mod cookie_jar;
mod held_dns;
mod logs;
mod nodes;
mod proxy;
mod quick_clock;
mod redis_server;
mod rigged_store;
mod sample_node;
pub mod signals;
mod socket;
mod stage;
mod traces;
mod watched_clock;
mod workspace;

pub use app::{App, Body, app, boxed, echo, layer, layer_for, token_of};
pub use browser::{Answer, Browser, location, path_of};
pub use checks::{assert_own, callback, is_page, parameter, refusal};
pub use cookie_jar::CookieJar;
pub use held_dns::HeldDns;
pub use logs::Logs;
pub use nodes::{MovableClock, Node, Nodes, RunningClock};
pub use proxy::Proxy;
pub use quick_clock::QuickClock;
pub use redis_server::{Dump, Monitor, RedisServer};
pub use rigged_store::{Op, RiggedStore, StoreHold, Trouble};
pub use sample_node::{Line, LineError, NodeSetup, Sample, SampleNode};
pub use socket::{Server, SocketBrowser, free_port};
pub use stage::{AHEAD, EXPIRED, LEEWAY, Stage, error_of, retry_after, soon};
pub use traces::holds;
pub use watched_clock::WatchedClock;
pub use workspace::{ADSERVER, Asked, Call, Calling, FFMPEG, MINIO, VALKEY, calls, use_instance};
