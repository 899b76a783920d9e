//! Every metric of the guide, with every value of its labels, and no other. One recorder counts for the whole process, so one
//! test drives the layer through everything that it counts.

mod answers;
mod provider;
mod refresh;
mod sessions;
mod sign_in;
mod store;

use std::collections::BTreeSet;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use osc_tests::{Exposition, Vocabulary, documented_metrics};

fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new().set_buckets(&[0.1, 1.0, 10.0]).expect("buckets");
    builder.install_recorder().expect("the only recorder of the process")
}

#[tokio::test]
async fn the_layer_counts_what_the_guide_documents_and_nothing_else() {
    let metrics = install();
    // Its timeout passes meanwhile.
    let slow = provider::begin_a_timeout().await;
    sign_in::drive().await;
    refresh::drive().await;
    sessions::drive(&metrics).await;
    store::drive(&metrics).await;
    answers::drive().await;
    provider::drive(slow).await;

    let exposition = Exposition::parse(&metrics.render());
    let (happened, documented) = (exposition.happened(), documented_metrics());
    let (seen, expected) = (lines(&happened), lines(&documented));
    let undocumented: Vec<_> = seen.difference(&expected).collect();
    let unseen: Vec<_> = expected.difference(&seen).collect();
    assert!(
        undocumented.is_empty() && unseen.is_empty(),
        "only counted: {undocumented:#?}\nonly in the guide: {unseen:#?}"
    );
    let names: BTreeSet<_> = documented.keys().cloned().collect();
    let described: BTreeSet<_> =
        exposition.described.iter().filter(|name| name.starts_with("osc_auth_")).cloned().collect();
    assert_eq!(described, names);
}

/// Returns a line for each metric and for each value of its labels.
fn lines(vocabulary: &Vocabulary) -> BTreeSet<String> {
    let lines = vocabulary.iter().flat_map(|(name, metric)| {
        let values = metric.labels.iter().flat_map(move |(label, values)| {
            values.iter().map(move |value| format!("{name} {label}={value}"))
        });
        values.chain([format!("{name} is a {}", metric.kind)])
    });
    lines.collect()
}

/// Returns the sum of a metric over all labels.
fn total(metrics: &PrometheusHandle, name: &str) -> f64 {
    let exposition = Exposition::parse(&metrics.render());
    exposition.values.iter().filter(|value| value.name == name).map(|value| value.value).sum()
}
