//! The queries of the dashboard and of the guide's alerts ask for metrics, labels and values that the guide has.

use std::collections::BTreeSet;

use osc_tests::{dashboard_queries, documented_alerts, documented_metrics, problems, selectors};

#[test]
fn every_query_of_dashboard_and_alerts_asks_for_documented_metrics() {
    let documented = documented_metrics();
    let mut queries = dashboard_queries();
    let rules = documented_alerts();
    let rules: Vec<_> = rules.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 5, "{rules:?}");
    queries.extend(rules.iter().map(|rule| ("an alert".to_owned(), (*rule).to_owned())));
    let wrong: Vec<_> = queries
        .iter()
        .map(|(title, query)| (title, query, problems(query, &documented)))
        .filter(|(_, _, problems)| !problems.is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_dashboard_shows_every_metric() {
    let shown: BTreeSet<_> = dashboard_queries()
        .iter()
        .flat_map(|(_, query)| selectors(query).0)
        .map(|selector| {
            let name = ["_bucket", "_count"].iter().find_map(|suffix| selector.name.strip_suffix(suffix));
            name.unwrap_or(&selector.name).to_owned()
        })
        .collect();
    assert_eq!(shown, documented_metrics().into_keys().collect());
}
