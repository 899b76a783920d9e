//! The contents of a stolen Redis dump.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mock_osc::Endpoint;
use osc_tests::{Sample, soon};

use super::{Cluster, SHORT};

#[tokio::test]
async fn s25_a_dump_of_redis_holds_no_token_no_session_id_and_no_secret() {
    let cluster = Cluster::of(Sample::Axum, 2, SHORT, &[]).await;
    let signed_out = cluster.visitor().await;
    soon(signed_out.clone().post_from("same-origin", "/auth/signout")).await;
    let [refreshed, refreshing] = cluster.overdue().await;
    cluster.expires_at(&refreshed, 0).await;
    // One more session is refreshed under a lease at the moment.
    let hold = cluster.osc.hold(Endpoint::Token);
    let request = cluster.under_way(&refreshing, 1);
    soon(hold.arrived(1)).await;

    let directory = cluster.place.redis().command(&["CONFIG", "GET", "dir"]).await;
    cluster.place.redis().command(&["CONFIG", "SET", "rdbcompression", "no"]).await;
    cluster.place.redis().command(&["SAVE"]).await;
    let directory = directory.lines().last().expect("its directory");
    let dump = fs::read(Path::new(directory).join("dump.rdb")).expect("a dump");

    let holds = |what: &[u8]| dump.windows(what.len()).any(|window| window == what);
    for known in ["osc-auth:s:", "version", r#""rotation""#, r#""owner""#] {
        assert!(holds(known.as_bytes()), "the searched data lacks {known}");
    }
    let mut secrets = cluster.osc.issued_tokens();
    assert!(secrets.contains(&cluster.osc.client_secret()) && secrets.len() > 10);
    for visitor in [&signed_out, &refreshed, &refreshing] {
        secrets.extend(visitor.cookies().values().cloned());
    }
    for secret in secrets {
        // A JWT ends with its signature.
        let end = &secret[secret.len().saturating_sub(30)..];
        assert!(!holds(end.as_bytes()), "{secret}");
        assert!(!URL_SAFE_NO_PAD.decode(&secret).is_ok_and(|bytes| holds(&bytes)), "{secret}");
    }
    hold.release();
    soon(request).await.expect("no panic").expect("an answer");
}
