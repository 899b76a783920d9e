//! A Prometheus server.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use osc_tests::{free_port, soon};
use serde_json::Value;

/// The pause between two questions. There is no event for what a server has scraped.
const PACE: Duration = Duration::from_millis(250);
/// The value of Grafana's `$__rate_interval`.
const INTERVAL: &str = "1m";

pub(crate) struct Prometheus {
    process: Child,
    directory: PathBuf,
    base: String,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts a server that scrapes these addresses every second. `PROMETHEUS` names the program, if it is not in the path.
    pub(crate) async fn start(targets: &[SocketAddr], rules: &str) -> Self {
        let (listener, address) = free_port().await;
        drop(listener);
        let directory = std::env::temp_dir().join(format!("osc-prometheus-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the server's files");
        let targets: Vec<_> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let settings = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [rules.yml]\nscrape_configs:\n  - \
             job_name: app\n    static_configs: [{{ targets: [{}] }}]\n",
            targets.join(", ")
        );
        fs::write(directory.join("prometheus.yml"), settings).expect("its settings");
        fs::write(directory.join("rules.yml"), rules).expect("its rules");
        let program = std::env::var("PROMETHEUS").unwrap_or_else(|_| "prometheus".to_owned());
        let process = Command::new(program)
            .arg(format!("--config.file={}", directory.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .spawn()
            .expect("prometheus is installed");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let server = Self { process, directory, base: format!("http://{address}"), http };
        server.until_ready().await;
        server
    }

    async fn until_ready(&self) {
        let is_ready = async || {
            let answer = self.http.get(format!("{}/-/ready", self.base)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        soon(async {
            while !is_ready().await {
                tokio::time::sleep(PACE).await;
            }
        })
        .await;
    }

    /// Returns the values that a query has now.
    pub(crate) async fn ask(&self, query: &str) -> Vec<f64> {
        let query = query.replace("$__rate_interval", INTERVAL);
        let form = [("query", query.as_str())];
        let answer = self.http.post(format!("{}/api/v1/query", self.base)).form(&form).send().await;
        let answer: Value = answer.expect("the server answers").json().await.expect("JSON");
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let result = answer["data"]["result"].as_array().expect("a vector");
        let values = result.iter().map(|series| series["value"][1].as_str().expect("a value").parse());
        values.map(|value| value.expect("a number")).collect()
    }

    /// Waits until a query has a value above 0. Returns how many series it has, and the largest value.
    pub(crate) async fn shows(&self, query: &str) -> String {
        let limit = Duration::from_secs(60);
        let shown = tokio::time::timeout(limit, async {
            loop {
                let values = self.ask(query).await;
                let largest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
                if largest > 0.0 {
                    return format!("{} series, at most {largest:.4}", values.len());
                }
                tokio::time::sleep(PACE).await;
            }
        });
        shown.await.unwrap_or_else(|_| panic!("no data: {query}"))
    }

    /// Returns what a node exports, as a server scrapes it.
    pub(crate) async fn scrape(&self, address: &SocketAddr) -> String {
        let answer =
            self.http.get(format!("http://{address}/metrics")).send().await.expect("the node answers");
        answer.text().await.expect("text")
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
