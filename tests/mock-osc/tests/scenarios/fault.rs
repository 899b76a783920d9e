use std::time::{Duration, Instant};

use mock_osc::{Endpoint, Fault, MockOsc};
use serde_json::Value;

use crate::support::*;

/// Sends a refresh that meets `fault`. Returns the answer, and whether the grant was spent.
async fn meet(fault: Fault) -> (Result<(u16, String), reqwest::Error>, bool) {
    let osc = start().await;
    let (_, token) = sign_in(&osc).await;
    let before = osc.issued_tokens().len();
    osc.fault(Endpoint::Token, fault).once();
    let (id, secret) = (osc.client_id(), osc.client_secret());
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &token),
        ("client_id", &id),
        ("client_secret", &secret),
    ];
    let sent = http().post(format!("{}/api/connect/token", osc.issuer())).form(&form).send().await;
    let answer = match sent {
        Ok(answer) => {
            let status = answer.status().as_u16();
            answer.text().await.map(|body| (status, body))
        }
        Err(error) => Err(error),
    };
    (answer, osc.issued_tokens().len() > before)
}

#[tokio::test]
async fn a_delay_is_served_before_the_answer() {
    let osc = MockOsc::builder().delay(Endpoint::Token, Duration::from_secs(3600)).start().await.unwrap();
    let delayed = code(&osc).await;
    let mut late = std::pin::pin!(redeem(&osc, &delayed));
    tokio::select! {
        answer = &mut late => panic!("the answer came early: {answer:?}"),
        () = osc.wait_for_requests(Endpoint::Token, 1) => {}
    }
    assert_eq!(osc.grant_uses().codes, 0);
    let code = code(&osc).await;
    osc.set_delay(Endpoint::Token, Duration::from_millis(30));
    let begun = Instant::now();
    assert_eq!(redeem(&osc, &code).await.status(), 200);
    assert!(begun.elapsed() >= Duration::from_millis(30));
    osc.set_delay(Endpoint::Token, Duration::ZERO);
    assert_eq!(refresh(&osc, "unknown").await.status(), 400);
}

#[tokio::test]
async fn a_status_fault_has_no_effect() {
    let (answer, spent) = meet(Fault::Status(503)).await;
    assert_eq!((answer.unwrap().0, spent), (503, false));
}

#[tokio::test]
async fn after_processing_the_grant_is_spent() {
    let (answer, spent) = meet(Fault::Status(502).after_processing()).await;
    assert_eq!((answer.unwrap().0, spent), (502, true));
}

#[tokio::test]
async fn a_hang_up_gives_no_answer_and_has_no_effect() {
    let (answer, spent) = meet(Fault::HangUp).await;
    let error = answer.unwrap_err();
    assert!(error.is_request() && !error.is_connect(), "{error:?}");
    assert!(!spent);
}

#[tokio::test]
async fn a_lost_answer_was_processed() {
    let (answer, spent) = meet(Fault::LostAnswer).await;
    assert!(answer.unwrap_err().is_request());
    assert!(spent);
}

#[tokio::test]
async fn half_an_answer_breaks_off_in_the_body() {
    let osc = start().await;
    osc.fault(Endpoint::Token, Fault::HalfAnswer).once();
    let code = code(&osc).await;
    let mut answer = redeem(&osc, &code).await;
    let announced = answer.content_length().unwrap();
    let mut arrived = 0;
    let broken = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => arrived += chunk.len() as u64,
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken);
    assert_eq!(arrived, announced / 2);
    assert_eq!(osc.live_refresh_tokens(), 1);
}

#[tokio::test]
async fn bodies_can_be_nonsense() {
    let (html, spent) = meet(Fault::Html).await;
    let (status, body) = html.unwrap();
    assert_eq!((status, spent), (200, false));
    assert!(body.starts_with("<!doctype html>"));

    assert_eq!(meet(Fault::Empty).await.0.unwrap(), (200, String::new()));
    let (_, malformed) = meet(Fault::MalformedJson).await.0.unwrap();
    assert!(serde_json::from_str::<Value>(&malformed).is_err());
    let (_, wrong) = meet(Fault::WrongTypes).await.0.unwrap();
    let wrong: Value = serde_json::from_str(&wrong).unwrap();
    assert!(wrong["access_token"].is_number() && wrong["issuer"].is_number());
    let own = Fault::Answer(418, "text/plain", "teapot".to_owned());
    assert_eq!(meet(own).await.0.unwrap(), (418, "teapot".to_owned()));
}

#[tokio::test]
async fn a_huge_body_streams_without_a_length() {
    let osc = start().await;
    osc.fault(Endpoint::Metadata, Fault::Huge);
    let url = format!("{}/.well-known/oauth-authorization-server", osc.issuer());
    let answer = http().get(url).send().await.unwrap();
    assert_eq!(answer.content_length(), None);
    let body = answer.bytes().await.unwrap();
    assert!(body.len() > 2 * 1024 * 1024);
    assert!(serde_json::from_slice::<Value>(&body).is_ok());
}

#[tokio::test]
async fn an_endless_body_keeps_coming() {
    let osc = start().await;
    osc.fault(Endpoint::Metadata, Fault::Endless(Duration::from_millis(1)));
    let url = format!("{}/.well-known/oauth-authorization-server", osc.issuer());
    let mut answer = http().get(url).send().await.unwrap();
    for _ in 0..10 {
        assert!(answer.chunk().await.unwrap().is_some());
    }
    osc.shutdown().await;
    while let Ok(Some(_)) = answer.chunk().await {}
}

#[tokio::test]
async fn oauth_errors_have_their_status() {
    let refused = |code| async move {
        let (answer, spent) = meet(Fault::OAuth(code)).await;
        let (status, body) = answer.unwrap();
        assert!(!spent);
        (status, text(&serde_json::from_str(&body).unwrap(), "error"))
    };
    assert_eq!(refused("invalid_grant").await, (400, "invalid_grant".into()));
    assert_eq!(refused("invalid_client").await, (401, "invalid_client".into()));
}

#[tokio::test]
async fn retry_after_and_redirect_carry_their_headers() {
    let osc = start().await;
    osc.fault(Endpoint::Token, Fault::RetryAfter(429, "soon".to_owned())).once();
    osc.fault(Endpoint::Token, Fault::Redirect("http://127.0.0.1:1/".to_owned())).once();
    let busy = post(&osc, "token", &[]).await;
    assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (429, &"soon".parse().unwrap()));
    let moved = post(&osc, "token", &[]).await;
    assert_eq!(
        (moved.status().as_u16(), &moved.headers()["location"]),
        (302, &"http://127.0.0.1:1/".parse().unwrap())
    );
}

#[tokio::test]
async fn latency_delays_the_answer() {
    let delay = Duration::from_millis(40);
    for fault in [Fault::Latency(delay), Fault::LateAnswer(delay)] {
        let started = Instant::now();
        let (answer, spent) = meet(fault).await;
        assert_eq!((answer.unwrap().0, spent), (200, true));
        assert!(started.elapsed() >= delay);
    }
}

#[tokio::test]
async fn a_late_answer_is_processed_at_once() {
    let osc = start().await;
    let code = code(&osc).await;
    osc.fault(Endpoint::Token, Fault::LateAnswer(Duration::from_secs(3600)));
    tokio::select! {
        _ = redeem(&osc, &code) => panic!("the answer is an hour away"),
        () = async { while osc.live_refresh_tokens() == 0 { tokio::time::sleep(Duration::from_millis(1)).await; } } => {}
    }
}

async fn status(osc: &MockOsc, grant_type: &str) -> u16 {
    post(osc, "token", &[("grant_type", grant_type)]).await.status().as_u16()
}

#[tokio::test]
async fn a_plan_can_be_narrowed_and_plans_form_a_sequence() {
    let osc = start().await;
    osc.fault(Endpoint::Token, Fault::Status(500)).skip(1).times(2);
    osc.fault(Endpoint::Token, Fault::Status(501))
        .when(|request| request.field("grant_type") == Some("special"));
    let mut seen = Vec::new();
    for grant_type in ["a", "b", "c", "d", "special", "e", "special"] {
        seen.push(status(&osc, grant_type).await);
    }
    assert_eq!(seen, [401, 500, 500, 401, 501, 401, 501]);
    osc.clear_faults();
    assert_eq!(status(&osc, "special").await, 401);
}

#[tokio::test]
async fn every_endpoint_can_fail() {
    let osc = MockOsc::builder().par(true).start().await.unwrap();
    let paths = [
        (Endpoint::Metadata, "/.well-known/oauth-authorization-server"),
        (Endpoint::Authorize, "/api/connect/authorize"),
        (Endpoint::Token, "/api/connect/token"),
        (Endpoint::Register, "/api/connect/register"),
        (Endpoint::Revoke, "/api/connect/revoke"),
        (Endpoint::Par, "/api/connect/par"),
        (Endpoint::Catalog, "/catalog/mysubscriptions"),
        (Endpoint::ServiceToken, "/token/servicetoken"),
        (Endpoint::Money, "/money/mytokencount"),
        (Endpoint::Deploy, "/deploy/myapps"),
        (Endpoint::Deploy, "/deploy/mysecrets/minio-minio"),
        (Endpoint::Instances, "/api-minio-minio/minioinstance"),
    ];
    for (endpoint, path) in paths {
        osc.fault(endpoint, Fault::Status(599)).once();
        let answer = http().post(format!("{}{path}", osc.platform())).send().await.unwrap();
        assert_eq!(answer.status(), 599, "{endpoint:?}");
    }
}
