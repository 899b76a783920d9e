//! When to stop.

use std::{future::pending, io, time::Duration};

/// Waits for Ctrl-C, or for the SIGTERM of a container or service manager.
pub async fn signal() {
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate())?.recv().await;
        io::Result::Ok(())
    };
    #[cfg(not(unix))]
    let terminate = pending::<io::Result<()>>();

    // If a signal handler cannot be installed, the app keeps running.
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        Ok(()) = terminate => {}
        else => pending().await,
    }
}

/// Waits for ten seconds or for the next [`signal`]. Requests that are still running then are aborted.
pub async fn patience() {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(10)) => {}
        () = signal() => {}
    }
    tracing::warn!("some requests did not finish in time and were aborted");
}
