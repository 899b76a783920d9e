use std::time::Duration;

use mock_osc::{Endpoint, MockOsc};

use crate::support::*;

#[tokio::test]
async fn it_can_start_again_on_the_same_port() {
    let osc = start().await;
    let port = osc.address().port();
    sign_in(&osc).await;
    osc.shutdown().await;
    let again = MockOsc::builder().port(port).start().await.unwrap();
    assert_eq!(again.address().port(), port);
    sign_in(&again).await;
}

#[tokio::test]
async fn connections_are_refused_until_it_listens_again_and_nothing_is_forgotten() {
    let osc = start().await;
    let (_, token) = sign_in(&osc).await;
    osc.stop_listening().await;
    let refused = http().get(osc.issuer()).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused}");
    osc.resume_listening().await.unwrap();
    osc.resume_listening().await.unwrap();
    tokens(refresh(&osc, &token).await).await;
}

#[tokio::test]
async fn dropping_it_closes_its_port() {
    let osc = start().await;
    let address = osc.address();
    drop(osc);
    // The task ends at its next poll, and the runtime decides when that is.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn held_requests_wait_without_effect_until_the_release() {
    let osc = start().await;
    let (_, token) = sign_in(&osc).await;
    osc.forget_requests();
    let hold = osc.hold(Endpoint::Token);
    let (answer, ()) = tokio::join!(refresh(&osc, &token), async {
        hold.arrived(1).await;
        osc.wait_for_requests(Endpoint::Token, 1).await;
        assert_eq!(osc.live_refresh_tokens(), 1);
        assert_eq!(osc.count(Endpoint::Token), 1);
        hold.release();
    });
    let (_, next) = tokens(answer).await;
    tokens(refresh(&osc, &next).await).await;
}

#[tokio::test]
async fn a_held_request_is_processed_although_its_client_has_gone() {
    let osc = start().await;
    let (_, token) = sign_in(&osc).await;
    let before = osc.issued_tokens().len();
    let hold = osc.hold(Endpoint::Token);
    tokio::select! {
        _ = refresh(&osc, &token) => panic!("it is held"),
        () = hold.arrived(1) => {}
    }
    hold.release();
    // The rotation is the event to wait for.
    while osc.issued_tokens().len() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(error(refresh(&osc, &token).await).await, (400, "invalid_grant".into()));
}

#[tokio::test]
async fn requests_are_recorded() {
    let osc = start().await;
    osc.approve(authorize_url(&osc).as_str()).await.unwrap();
    let seen = osc.requests(Endpoint::Authorize);
    assert_eq!(seen.iter().map(|request| request.method.as_str()).collect::<Vec<_>>(), ["GET", "POST"]);
    assert_eq!(seen[0].field("state"), Some("some state"));

    post(&osc, "token", &[("grant_type", "x y"), ("code", "c")]).await;
    let seen = osc.requests(Endpoint::Token).remove(0);
    assert_eq!((seen.path.as_str(), seen.body.as_str()), ("/api/connect/token", "grant_type=x+y&code=c"));
    assert_eq!(seen.form, [("grant_type", "x y"), ("code", "c")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    assert_eq!(seen.header("Content-Type"), Some("application/x-www-form-urlencoded"));
}
