//! The guide's tables of metrics and spans, the dashboard's queries, and the metrics that a process exports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The values of each label. A label that may have any value has none.
pub type Labels = BTreeMap<String, BTreeSet<String>>;

/// A metric or a span of the guide. Its `kind` is the type or the level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documented {
    /// `counter`, `gauge` or `histogram`; or the level of a span.
    pub kind: String,
    /// The labels or fields.
    pub labels: Labels,
}

/// Documented metrics or spans by name.
pub type Vocabulary = BTreeMap<String, Documented>;

/// Returns the text of a file of the repository.
///
/// # Panics
/// If it cannot be read.
pub fn repository_file(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(full).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page() -> String {
    repository_file("osc-auth-layer/src/guide/observability.md")
}

/// Returns the guide's metrics.
///
/// # Panics
/// If its table is not there.
pub fn documented_metrics() -> Vocabulary {
    table("## Metrics", &Vocabulary::new())
}

/// Returns the guide's spans.
///
/// # Panics
/// If its table is not there.
pub fn documented_spans() -> Vocabulary {
    table("## Spans", &documented_metrics())
}

/// Reads a table with the columns name, kind, labels and meaning.
fn table(heading: &str, earlier: &Vocabulary) -> Vocabulary {
    let page = page();
    let below = page.lines().skip_while(|line| *line != heading).skip(1);
    let rows = below.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
    let mut found = Vocabulary::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, _] = cells[..] else { panic!("a row needs four cells: {row}") };
        let labels = labels.split(';').filter(|label| *label != "none").map(|label| {
            let (label, values) = label.split_once(':').unwrap_or_else(|| panic!("no values: {label}"));
            let label = label.trim().trim_matches('`').to_owned();
            let values = match values.trim().strip_prefix("as `").and_then(|of| of.strip_suffix('`')) {
                Some(of) => found.get(of).or_else(|| earlier.get(of)).expect("it is named before").labels
                    [&label]
                    .clone(),
                None => values.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
            };
            (label, values)
        });
        let labels = labels.collect();
        found.insert(name.trim_matches('`').to_owned(), Documented { kind: kind.to_owned(), labels });
    }
    assert!(found.len() > 3, "the guide has no table {heading}");
    found
}

/// Returns the rules for alerts in the guide, as YAML.
///
/// # Panics
/// If they are not there.
pub fn documented_alerts() -> String {
    let page = page();
    let (_, rules) = page.split_once("```yaml\n").expect("rules");
    rules.split_once("```").expect("their end").0.to_owned()
}

/// Returns the title of each panel of the Grafana dashboard with each of its queries.
///
/// # Panics
/// If the dashboard cannot be read.
pub fn dashboard_queries() -> Vec<(String, String)> {
    let dashboard: Value =
        serde_json::from_str(&repository_file("samples/grafana/dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let queries = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets
            .into_iter()
            .map(move |target| (title.clone(), target["expr"].as_str().expect("a query").to_owned()))
    });
    let queries: Vec<_> = queries.collect();
    assert!(queries.len() > 10, "{queries:?}");
    queries
}

/// A metric that a process exports.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The name, for a histogram with its suffix.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// The text that Prometheus scrapes.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    /// The type of each metric.
    pub kinds: BTreeMap<String, String>,
    /// The metrics that have a description.
    pub described: BTreeSet<String>,
    /// The values.
    pub values: Vec<Exported>,
}

impl Exposition {
    /// Reads the text.
    ///
    /// # Panics
    /// If it is malformed.
    pub fn parse(text: &str) -> Self {
        let mut read = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                read.kinds.insert(name.to_owned(), kind.to_owned());
            } else if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a description");
                assert!(help.ends_with('.'), "{line}");
                read.described.insert(name.to_owned());
            } else {
                read.values.push(value(line));
            }
        }
        read
    }

    /// Returns what happened: counters above 0, histograms with events, and all gauges.
    pub fn happened(&self) -> Vocabulary {
        let mut happened = Vocabulary::new();
        for exported in self.values.iter().filter(|exported| exported.name.starts_with("osc_auth_")) {
            let base = exported.name.strip_suffix("_count").filter(|base| self.kinds.contains_key(*base));
            let name = base.unwrap_or(&exported.name);
            let Some(kind) = self.kinds.get(name) else { continue };
            if kind != "gauge" && exported.value <= 0.0 {
                continue;
            }
            let metric = happened.entry(name.to_owned()).or_default();
            metric.kind = kind.clone();
            for (label, value) in &exported.labels {
                metric.labels.entry(label.clone()).or_default().insert(value.clone());
            }
        }
        happened
    }
}

/// Reads a line such as `name{label="value"} 1`.
fn value(line: &str) -> Exported {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty()).map(|label| {
        let (label, value) = label.split_once("=\"").expect("a label");
        (label.to_owned(), value.trim_end_matches('"').to_owned())
    });
    let value = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
    Exported { name: name.to_owned(), labels: labels.collect(), value }
}

/// A metric in a query, with the values that its matchers name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The name, for a histogram with its suffix.
    pub name: String,
    /// The labels, and the values that are selected or excluded.
    pub matchers: Labels,
}

/// Returns the metrics of the layer in a query of PromQL, and the labels that it groups by.
///
/// # Panics
/// If a matcher is malformed.
pub fn selectors(query: &str) -> (Vec<Selector>, BTreeSet<String>) {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut selectors = Vec::new();
    for (at, _) in query.match_indices("osc_auth_") {
        let rest = &query[at..];
        let name = &rest[..rest.find(|character| !is_part(character)).unwrap_or(rest.len())];
        let inner =
            rest[name.len()..].strip_prefix('{').map(|inner| inner.split_once('}').expect("an end").0);
        let matchers = inner.into_iter().flat_map(|inner| inner.split(',')).map(|matcher| {
            let end = matcher.find(|character| !is_part(character)).expect("an operator");
            let value = matcher[end..].trim_start_matches(['=', '!', '~']).trim_matches('"');
            (matcher[..end].to_owned(), value.split('|').map(str::to_owned).collect())
        });
        selectors.push(Selector { name: name.to_owned(), matchers: matchers.collect() });
    }
    let groups = query.split("by (").skip(1).map(|by| by.split_once(')').expect("an end").0);
    let groups = groups.flat_map(|by| by.split(',')).map(|label| label.trim().to_owned()).collect();
    (selectors, groups)
}

/// Returns what is wrong with a query: a metric, a label or a value that the guide does not have.
pub fn problems(query: &str, documented: &Vocabulary) -> Vec<String> {
    let (selectors, groups) = selectors(query);
    let mut problems = Vec::new();
    let mut known = BTreeSet::from(["instance".to_owned()]);
    if selectors.is_empty() {
        problems.push("no metric of the layer".to_owned());
    }
    for Selector { name, matchers } in &selectors {
        let histogram = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let metric = match histogram.and_then(|base| documented.get(base)) {
            Some(metric) if metric.kind == "histogram" => Some(metric),
            _ => documented.get(name).filter(|metric| metric.kind != "histogram"),
        };
        let Some(metric) = metric else {
            problems.push(format!("no metric {name}"));
            continue;
        };
        known.extend(metric.labels.keys().cloned());
        known.extend(name.ends_with("_bucket").then(|| "le".to_owned()));
        for (label, values) in matchers {
            match metric.labels.get(label) {
                None => problems.push(format!("{name} has no label {label}")),
                Some(all) => problems
                    .extend(values.difference(all).map(|value| format!("{name} has no {label}={value}"))),
            }
        }
    }
    problems.extend(groups.difference(&known).map(|label| format!("no metric has the label {label}")));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_with_an_unknown_metric_label_or_value_is_found() {
        let documented = documented_metrics();
        for good in [
            "sum by (outcome) (rate(osc_auth_sign_ins_total{outcome!=\"completed\"}[5m]))",
            "histogram_quantile(0.5, sum by (le) (rate(osc_auth_lease_wait_seconds_bucket[5m])))",
            "rate(osc_auth_refreshes_total{cause=\"ahead\",outcome=~\"refused|refreshed\"}[5m])",
        ] {
            assert_eq!(problems(good, &documented), Vec::<String>::new(), "{good}");
        }
        for (bad, problem) in [
            ("up", "no metric of the layer"),
            ("osc_auth_sign_in_total", "no metric osc_auth_sign_in_total"),
            ("osc_auth_lease_wait_seconds", "no metric osc_auth_lease_wait_seconds"),
            ("osc_auth_sessions{outcome=\"x\"}", "osc_auth_sessions has no label outcome"),
            ("osc_auth_refreshes_total{cause=~\"ahead|late\"}", "osc_auth_refreshes_total has no cause=late"),
            ("sum by (le) (osc_auth_sessions)", "no metric has the label le"),
        ] {
            assert_eq!(problems(bad, &documented), [problem], "{bad}");
        }
    }

    #[test]
    fn an_exposition_shows_what_happened() {
        let text = "# HELP osc_auth_a_total Some.\n# TYPE osc_auth_a_total counter\nosc_auth_a_total{of=\"x\",by=\"y\"} 2\n\
                    osc_auth_a_total{of=\"z\",by=\"y\"} 0\n\n# TYPE osc_auth_b_seconds histogram\n\
                    osc_auth_b_seconds_bucket{le=\"1\"} 3\nosc_auth_b_seconds_sum 0.5\nosc_auth_b_seconds_count 3\n";
        let exposition = Exposition::parse(text);
        let happened = exposition.happened();
        assert_eq!(happened.keys().collect::<Vec<_>>(), ["osc_auth_a_total", "osc_auth_b_seconds"]);
        assert_eq!(happened["osc_auth_a_total"].labels["of"], BTreeSet::from(["x".to_owned()]));
        assert!(happened["osc_auth_b_seconds"].labels.is_empty());
        assert!(exposition.described.contains("osc_auth_a_total"));
    }
}
