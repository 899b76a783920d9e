//! A node that is killed in the middle of a refresh. Its lease ends after 30 seconds. Until then, the other
//! nodes ask their visitors to retry later.

use futures_util::future::join;
use http::StatusCode;
use mock_osc::{Endpoint, Fault, MockOsc};
use osc_tests::{Answer, Browser, LineError, Sample, error_of, soon};

use super::{Cluster, LONG, SHORT, after_the_lease};

#[tokio::test]
async fn s43_a_session_survives_a_node_killed_before_its_refresh() {
    survives_a_killed_node(Cluster::of(Sample::Axum, 3, SHORT, &[]).await).await;
}

/// Kills the first of three nodes while it holds a lease. The tokens have to live for [`SHORT`].
pub(crate) async fn survives_a_killed_node(mut cluster: Cluster) {
    let [visitor] = cluster.overdue().await;
    // The mock would process a held request although its client is gone.
    cluster.osc.fault(Endpoint::Token, Fault::HangUp).once();
    let hold = cluster.osc.hold(Endpoint::Token);
    let request = cluster.under_way(&visitor, 0);
    soon(hold.arrived(1)).await;
    cluster.nodes[0].kill().await;
    hold.release();
    assert!(matches!(soon(request).await.expect("no panic"), Err(LineError::Unanswered(_))));

    let (one, other) =
        join(after_the_lease(&cluster, &visitor, 1), after_the_lease(&cluster, &visitor, 2)).await;

    assert_eq!((one.status(), other.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(cluster.refreshes(), 2, "the lost request and one retry");
    cluster.nodes[0].restart().await;
    cluster.assert_alive(&[visitor]).await;
}

/// No lease helps here: the only valid refresh token was in an answer that nobody received. The next node
/// presents the previous token, and the provider decides whether that is theft.
#[tokio::test]
async fn s43_after_a_kill_before_the_write_the_providers_grace_decides() {
    join(
        async {
            let osc = MockOsc::builder().refresh_grace(LONG);
            let (cluster, visitor, answers) = killed_before_the_write(osc).await;
            for answer in answers {
                assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
            }
            cluster.assert_alive(&[visitor]).await;
        },
        async {
            let (cluster, visitor, answers) = killed_before_the_write(MockOsc::builder()).await;
            for answer in answers {
                let error = error_of(&answer);
                assert_eq!((answer.status(), error.as_str()), (StatusCode::UNAUTHORIZED, "session_ended"));
            }
            assert_eq!(cluster.osc.live_refresh_tokens(), 0);
            let answer = cluster.fetch(&visitor, 0, "/api/session").await;
            assert_eq!(error_of(&answer), "session_ended", "the restarted node knows it too");
        },
    )
    .await;
}

async fn killed_before_the_write(osc: mock_osc::MockOscBuilder) -> (Cluster, Browser, [Answer; 2]) {
    let mut cluster = Cluster::with(Sample::Axum, 3, osc.token_ttl(SHORT), &[]).await;
    let [visitor] = cluster.overdue().await;
    cluster.osc.fault(Endpoint::Token, Fault::LateAnswer(LONG)).once();
    let issued = cluster.osc.issued_tokens().len();
    let request = cluster.under_way(&visitor, 0);
    soon(async {
        while cluster.osc.issued_tokens().len() == issued {
            tokio::task::yield_now().await;
        }
    })
    .await;
    cluster.nodes[0].restart().await;
    assert!(matches!(soon(request).await.expect("no panic"), Err(LineError::Unanswered(_))));
    let (one, other) =
        join(after_the_lease(&cluster, &visitor, 1), after_the_lease(&cluster, &visitor, 2)).await;
    assert_eq!(cluster.refreshes(), 2, "the lost request and one retry");
    (cluster, visitor, [one, other])
}
