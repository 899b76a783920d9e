//! The metrics of the layer, for a Prometheus server.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

/// In seconds. A store answers within a millisecond, and the provider may take 25 seconds.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The recorder merges what it has recorded at each scrape, and this often without one.
const UPKEEP: Duration = Duration::from_secs(5);

/// Records metrics from now on. The layer describes its own when it is built, so call this first.
pub(crate) fn record() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()
}

/// Serves the metrics at `/metrics`.
pub(crate) async fn serve(listener: TcpListener, metrics: PrometheusHandle) -> io::Result<()> {
    let router = Router::new().route("/metrics", get(render)).with_state(metrics.clone());
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            metrics.run_upkeep();
        }
    };
    tokio::select! {
        ended = axum::serve(listener, router).into_future() => ended,
        () = upkeep => Ok(()),
    }
}

async fn render(State(metrics): State<PrometheusHandle>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}
