//! When to stop.

use std::{future::pending, io, time::Duration};

/// Resolves on Ctrl-C, and on the SIGTERM that a container or a service manager sends.
pub(crate) async fn signal() {
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate())?.recv().await;
        io::Result::Ok(())
    };
    #[cfg(not(unix))]
    let terminate = pending::<io::Result<()>>();

    // A signal that cannot be listened for is no reason to stop.
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        Ok(()) = terminate => {}
        else => pending().await,
    }
}

/// Resolves after ten seconds, or at the next [`signal`]: what has not ended by then is cut off.
pub(crate) async fn patience() {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(10)) => {}
        () = signal() => {}
    }
    tracing::warn!("some requests did not end in time and are cut off");
}
