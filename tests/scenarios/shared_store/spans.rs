//! The spans of the layer are those of the guide, and tell nothing secret.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use mock_osc::{Endpoint, Fault};
use osc_tests::{EXPIRED, Nodes, Spans, callback, documented_spans, error_of, holds, path_of, refusal, soon};

#[tokio::test]
async fn every_span_is_in_the_guide_and_contains_nothing_secret() {
    let spans = Spans::collect();
    let mut nodes = Nodes::notified(1).await;
    // A callback that is refused twice, a refresh, a session for a script, a sign-out and a refused refresh.
    let denied = nodes.osc.deny(&nodes.browser.begin_sign_in("/auth/signin").await).await.expect("a denial");
    assert_eq!(refusal(&nodes.browser.navigate(path_of(&denied)).await).1, "access_denied");
    let path = callback(&mut nodes.browser, &nodes.osc).await;
    nodes.osc.fault(Endpoint::Token, Fault::OAuth("invalid_grant")).once();
    assert_eq!(refusal(&nodes.browser.navigate(&path).await).1, "sign_in_failed");
    nodes.pass(EXPIRED);
    let session = nodes.token(0).await.session().id();
    nodes.browser.fetch("/auth/session").await;
    let another = nodes.another(0).await;
    let signed_out = nodes.browser.post_from("same-origin", "/auth/signout").await;
    assert_eq!(signed_out.status(), StatusCode::SEE_OTHER);
    nodes.osc.revoke_refresh_tokens();
    nodes.pass(EXPIRED);
    assert_eq!(error_of(&soon(nodes.send(&another, 0).fetch("/")).await), "session_ended");
    nodes.settle().await;

    let documented = documented_spans();
    let mut seen = BTreeMap::new();
    for span in spans.all() {
        let guide = documented.get(span.name).unwrap_or_else(|| panic!("{} is not in the guide", span.name));
        for (field, value) in &span.values {
            let is_known = match *field {
                "session" => {
                    value.len() == 22
                        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
                }
                "status" => value.parse::<u16>().is_ok(),
                field => guide.labels.get(field).is_some_and(|values| values.contains(value)),
            };
            assert!(is_known, "{}: {field} is {value:?}", span.name);
        }
        let fields: BTreeSet<_> = span.fields.iter().map(|field| (*field).to_owned()).collect();
        seen.insert(span.name.to_owned(), (span.level.clone(), fields));
    }
    let expected = documented.iter().map(|(name, span)| {
        (name.clone(), (span.kind.clone(), span.labels.keys().cloned().collect::<BTreeSet<_>>()))
    });
    assert_eq!(seen, expected.collect());

    let all = spans.all();
    let has = |name: &str, field: &str, value: &str| {
        all.iter().any(|span| span.name == name && span.values.get(field).is_some_and(|found| found == value))
    };
    assert!(has("osc_auth.refresh", "session", &session) && has("osc_auth.refresh", "outcome", "refreshed"));
    assert!(has("osc_auth.refresh", "outcome", "refused") && has("osc_auth.provider", "outcome", "4xx"));
    assert!(has("osc_auth.endpoint", "error", "access_denied") && has("osc_auth.endpoint", "status", "401"));
    assert!(has("osc_auth.store", "operation", "swap") && has("osc_auth.store", "result", "ok"));

    let dump = format!("{all:?}");
    let mut secrets = nodes.osc.issued_tokens();
    secrets.push(nodes.osc.client_secret());
    for request in nodes.osc.requests(Endpoint::Token) {
        let fields = ["code", "code_verifier"].map(|name| request.field(name).map(str::to_owned));
        secrets.extend(fields.into_iter().flatten());
    }
    secrets.extend(another.cookies().values().cloned());
    assert!(secrets.len() > 10, "{secrets:?}");
    for secret in secrets {
        assert!(!holds(dump.as_bytes(), secret.as_bytes()), "{secret} is in a span: {dump}");
    }
}
