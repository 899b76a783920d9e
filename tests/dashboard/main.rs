//! The Grafana dashboard and the guide's alerts, in a Prometheus that scrapes two nodes of the axum sample under load.

mod crowd;
mod prometheus;

use osc_tests::{Exposition, dashboard_queries, documented_alerts, documented_metrics};

use crate::crowd::Crowd;
use crate::prometheus::Prometheus;

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboard_shows_what_happens_under_load() {
    let crowd = Crowd::start().await;
    // It refuses to start with rules that it cannot read.
    let prometheus = Prometheus::start(crowd.metrics(), &documented_alerts()).await;
    let load = tokio::spawn(crowd.clone().go_on());
    for (title, query) in dashboard_queries() {
        let shown = prometheus.shows(&query).await;
        println!("{title}: {shown}");
    }
    // A wrong label or value shows nothing, so the queries above are right.
    let completed = "sum(rate(osc_auth_sign_ins_total{outcome=\"completed\"}[$__rate_interval]))";
    prometheus.shows(completed).await;
    for wrong in
        [completed.replace("=\"completed\"", "=\"complete\""), completed.replace("outcome", "result")]
    {
        assert!(prometheus.ask(&wrong).await.is_empty(), "{wrong}");
    }
    for address in crowd.metrics() {
        let text = prometheus.scrape(address).await;
        check_documented(&text);
        let excerpt: Vec<_> =
            text.lines().filter(|line| line.contains("_total") && !line.ends_with(" 0")).collect();
        println!("{address}\n{}", excerpt.join("\n"));
    }
    load.abort();
}

/// Fails if a node exports a metric, a label or a value that the guide does not have.
fn check_documented(text: &str) {
    let (exposition, documented) = (Exposition::parse(text), documented_metrics());
    for (name, metric) in exposition.happened() {
        let guide = documented.get(&name).unwrap_or_else(|| panic!("{name} is not in the guide"));
        assert_eq!(metric.kind, guide.kind, "{name}");
        for (label, values) in &metric.labels {
            let known = guide.labels.get(label).unwrap_or_else(|| panic!("{name} has a label {label}"));
            assert!(values.is_subset(known), "{name} {label}: {values:?}");
        }
    }
}
