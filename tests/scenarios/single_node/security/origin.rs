//! The host that a request names (RFC 9700 §4.13). It selects among the configured URLs and adds none.

use http::Method;
use mock_osc::{Endpoint, MockOsc};
use osc_auth_layer::{OAuthClient, OscAuthLayer, OscAuthLayerBuilder};
use osc_tests::{Answer, App, Browser, app, location, parameter, refusal};

const CALLBACK: &str = "http://localhost:3000/auth/callback";

fn nowhere(osc: &MockOsc) -> OscAuthLayerBuilder {
    OscAuthLayer::builder(OAuthClient::confidential(osc.client_id(), osc.client_secret()))
        .issuer(osc.issuer())
}

/// Sends requests that name `host` as the app's host, through `Host`, an absolute target, and the headers of
/// proxies.
async fn claiming(app: &App, host: &str) -> Vec<(String, Answer)> {
    let target = "/auth/signin?redirected=1";
    let mut answers = Vec::new();
    let by_host = Browser::new(app.clone()).at(host).navigate(target).await;
    answers.push(("host".to_owned(), by_host));
    let absolute = format!("http://{host}{target}");
    let by_target = Browser::new(app.clone()).navigate(&absolute).await;
    answers.push(("an absolute target".to_owned(), by_target));
    let forwarded = [
        ("x-forwarded-host", host.to_owned()),
        ("x-forwarded-host", format!("{host}, localhost:3000")),
        ("x-forwarded-server", host.to_owned()),
        ("forwarded", format!("for=10.0.0.1;host={host};proto=https")),
        ("forwarded", format!("host=\"{host}\"")),
    ];
    for (name, value) in forwarded {
        let headers = [(name, value.as_str()), ("accept", "text/html")];
        let answer = Browser::new(app.clone()).send(Method::GET, target, &headers).await;
        answers.push((format!("{name}: {value}"), answer));
    }
    answers
}

#[tokio::test]
async fn s09_no_host_header_changes_the_redirect_uri() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&nowhere(&osc).public_url("http://localhost:3000").build().unwrap());
    for host in
        ["evil.example", "localhost:3000.evil.example", "localhost:3001", "localhost:3000@evil.example"]
    {
        for (how, answer) in claiming(&app, host).await {
            let authorize = location(&answer);
            assert_eq!(parameter(&authorize, "redirect_uri"), CALLBACK, "{how}");
            assert!(!authorize.contains("evil") && !authorize.contains("3001"), "{how}: {authorize}");
        }
    }
}

#[tokio::test]
async fn s09_without_a_public_url_only_direct_loopback_hosts_work() {
    let osc = MockOsc::builder().start().await.unwrap();
    let app = app(&nowhere(&osc).build().unwrap());
    let misconfigured = (500, "misconfigured".to_owned());
    for host in ["evil.example", "localhost.evil.example", "10.0.0.1:3000"] {
        for (how, answer) in claiming(&app, host).await {
            assert_eq!(refusal(&answer), misconfigured, "{how}");
        }
    }
    // Behind a proxy, even a loopback host is not the host that browsers use.
    for name in
        ["x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-for", "forwarded", "via"]
    {
        let answer =
            Browser::new(app.clone()).send(Method::GET, "/auth/signin", &[(name, "localhost:3000")]).await;
        assert_eq!(refusal(&answer), misconfigured, "{name}");
    }
    assert_eq!(osc.count(Endpoint::Metadata), 0);
}

#[tokio::test]
async fn s09_requests_only_select_among_configured_public_urls() {
    let osc = MockOsc::builder().start().await.unwrap();
    let layer = nowhere(&osc).public_url("http://localhost:3000").public_url("http://127.0.0.1:3000/deep");
    let app = app(&layer.build().unwrap());
    for (how, answer) in claiming(&app, "127.0.0.1:3000").await {
        let redirect_uri = parameter(&location(&answer), "redirect_uri");
        // `Forwarded` and similar headers have no effect.
        let chooses = how == "host" || how == "an absolute target" || how.starts_with("x-forwarded-host");
        let expected = if chooses { "http://127.0.0.1:3000/deep/auth/callback" } else { CALLBACK };
        assert_eq!(redirect_uri, expected, "{how}");
    }
    for host in ["127.0.0.1:3001", "127.0.0.1", "127.0.0.1:3000.evil.example", "evil.example"] {
        for (how, answer) in claiming(&app, host).await {
            assert_eq!(parameter(&location(&answer), "redirect_uri"), CALLBACK, "{how} {host}");
        }
    }
}
