//! Compares this client with OSC's own one. Both make the official tour, and their requests are the same
//! except for how often they are sent.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use mock_osc::{Endpoint, MockOsc, Recorded};
use osc_auth_layer::{ContextError, OscContext};
use osc_tests::{ADSERVER, FFMPEG, MINIO, Stage, soon};
use serde_json::{Value, json};

/// Makes the steps of `tour.mjs`.
async fn tour(osc: &OscContext) -> Result<(), ContextError> {
    let adserver = osc.service(ADSERVER);
    let ffmpeg = osc.service(FFMPEG);
    adserver.access_token().await?;
    adserver.list_instances().await?;
    let options = json!({ "description": "Made on the tour", "level": "debug" });
    let made = adserver.instance("tour").create(&options).await?;
    let tour = adserver.known_instance(&made);
    tour.get().await?;
    tour.health().await?;
    tour.logs().await?;
    tour.ports().await?;
    tour.restart().await?;
    tour.scaling().await?;
    tour.scale(2).await?;
    adserver.secret("key").save("value").await?;
    tour.remove().await?;
    osc.service(MINIO).access_token().await?;
    osc.subscriptions().await?;
    let job = ffmpeg.job("tour");
    job.create(json!({ "cmdLineArgs": "-i in out" })).await?;
    ffmpeg.list_jobs().await?;
    job.wait_until_complete(Duration::from_secs(10), |_| {}).await?;
    job.get().await?;
    job.remove().await?;
    ffmpeg.unsubscribe().await
}

/// A request, with everything a server can distinguish.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    endpoint: Endpoint,
    method: String,
    path: String,
    query: Vec<(String, String)>,
    token_header: String,
    content_type: Option<String>,
    body: String,
}

impl Asked {
    fn of(endpoint: Endpoint, request: Recorded) -> Self {
        let carriers = ["x-pat-jwt", "x-jwt", "authorization"];
        let mut carriers = carriers.into_iter().filter(|name| {
            request.header(name).is_some_and(|value| value.starts_with("Bearer ") && value.len() > 30)
        });
        let token_header = carriers.next().unwrap_or_default().to_owned();
        assert_eq!(carriers.next(), None, "{request:?}");
        let json: Option<Value> = serde_json::from_str(&request.body).ok();
        Self {
            endpoint,
            token_header,
            content_type: request.header("content-type").map(str::to_owned),
            // The order of fields does not matter.
            body: json.map_or(request.body, |json| json.to_string()),
            method: request.method,
            path: request.path,
            query: request.query,
        }
    }
}

fn asked(osc: &MockOsc) -> Vec<Asked> {
    use Endpoint::{Catalog, Deploy, Instances, Money, ServiceToken};
    let endpoints = [Catalog, ServiceToken, Money, Deploy, Instances];
    let requests = endpoints.into_iter().flat_map(|endpoint| {
        osc.requests(endpoint).into_iter().map(move |request| Asked::of(endpoint, request))
    });
    requests.collect()
}

async fn tour_with_node(osc: &MockOsc, access_token: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("official-client");
    assert!(
        folder.join("node_modules/@osaas/client-core").exists(),
        "OSC's own client is not installed: tests/run.sh does that (or `npm ci` in tests/official-client)"
    );
    let tour = tokio::process::Command::new("node")
        .args(["--import", "./hook.mjs", "tour.mjs"])
        .current_dir(folder)
        .env("OSC_PLATFORM", osc.platform())
        .env("OSC_ROUTE", "path")
        .env("OSC_ACCESS_TOKEN", access_token)
        .kill_on_drop(true)
        .output();
    let tour = tokio::time::timeout(Duration::from_secs(60), tour).await.expect("node goes on and on");
    let tour = tour.expect("node runs");
    assert!(tour.status.success(), "{}", String::from_utf8_lossy(&tour.stderr));
}

#[tokio::test]
async fn both_clients_send_the_same_requests_and_this_one_fewer() {
    // Jobs finish at once, so that neither client waits.
    let at_once = || MockOsc::builder().instance_start(Duration::ZERO);
    let stage = Stage::with(at_once(), |layer| layer).await;
    tour_with_node(&stage.osc, stage.token().await.access_token()).await;
    let theirs = asked(&stage.osc);
    let stage = Stage::with(at_once(), |layer| layer).await;
    soon(tour(&stage.context().await)).await.unwrap();
    let ours = asked(&stage.osc);

    let distinct = |asked: &[Asked]| asked.iter().cloned().collect::<BTreeSet<_>>();
    let (their_set, our_set) = (distinct(&theirs), distinct(&ours));
    let only = |one: &BTreeSet<Asked>, other: &BTreeSet<Asked>| {
        one.difference(other).map(|asked| format!("{asked:?}")).collect::<Vec<_>>().join("\n")
    };
    let (only_they, only_we) = (only(&their_set, &our_set), only(&our_set, &their_set));
    assert!(
        only_they.is_empty() && only_we.is_empty(),
        "only OSC's own client asks:\n{only_they}\nonly this one asks:\n{only_we}"
    );
    let count = |asked: &[Asked], endpoint| asked.iter().filter(|asked| asked.endpoint == endpoint).count();
    for endpoint in [Endpoint::ServiceToken, Endpoint::Deploy] {
        assert_eq!(count(&ours, endpoint), count(&theirs, endpoint), "{endpoint:?}");
    }
    // The official client reads the subscriptions and looks up the instance before nearly every call.
    assert_eq!((count(&ours, Endpoint::Catalog), count(&ours, Endpoint::Instances)), (9, 15));
    assert!(theirs.len() >= 2 * ours.len(), "{} and {}", theirs.len(), ours.len());
}

#[test]
fn every_call_is_in_the_table_of_the_documentation() {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../osc-auth-layer/src/workspace");
    let read = |path: &Path| std::fs::read_to_string(path).expect("a source is text");
    let table = read(&client.join("mod.rs"));
    let mut calls = 0;
    for file in std::fs::read_dir(&client).expect("the sources are there") {
        let path = file.expect("a folder can be read").path();
        if path.is_dir() {
            continue;
        }
        let mut handle = String::new();
        for line in read(&path).lines() {
            if let Some(name) = line.strip_prefix("impl ").and_then(|line| line.strip_suffix(" {")) {
                handle = name.to_owned();
            }
            let Some(call) = line.trim().strip_prefix("pub async fn ") else { continue };
            let name = call.split(['(', '<']).next().unwrap_or_default();
            assert!(table.contains(&format!("[`{handle}::{name}`]")), "{handle}::{name} is missing");
            calls += 1;
        }
    }
    assert!(calls > 30, "{calls}");
}
