//! The crate's log, collected at level `TRACE`.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::MakeWriter;

/// Collects all spans and events of the current thread until it is dropped.
#[derive(Debug)]
pub struct Logs {
    written: Written,
    _guard: tracing::subscriber::DefaultGuard,
}

#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

/// A second subscriber.
///
/// With a single subscriber, `tracing` caches for all threads whether an event is wanted. The thread that
/// reaches the event first decides, and a thread of another test would decide no. With two subscribers,
/// `tracing` asks both.
pub(crate) static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

impl Logs {
    /// Starts to collect. Use it in single-threaded tests only, because other threads keep their own
    /// subscriber.
    pub fn collect() -> Self {
        LazyLock::force(&ANOTHER);
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
            .with_writer(written.clone())
            .finish();
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Returns the text that was logged so far.
    pub fn text(&self) -> String {
        let written = self.written.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&written).into_owned()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Written {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
