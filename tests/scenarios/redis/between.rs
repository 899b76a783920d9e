//! A change that arrives before the answer to an earlier question.

use futures_util::FutureExt;
use osc_tests::{RedisServer, soon, token_of};

use super::cluster::{Cluster, open, plain, provider};
use super::half_wire::HalfWire;
use super::{assert_refused, records};

#[tokio::test]
async fn s52_a_change_notified_before_an_older_answer_is_not_missed() {
    for is_sign_out in [true, false] {
        let redis = RedisServer::start().await;
        let wire = HalfWire::to(redis.addr()).await;
        let url = |number, addr| open(number, if number == 1 { wire.addr } else { addr });
        let mut cluster = Cluster::with(redis, provider().await, 2, url, plain).await.sign_in().await;
        cluster.warm_up().await;
        let (warm, known) = (cluster.at(1), records(&cluster.server).await);
        let trusts = || {
            let answer = warm.clone().fetch("/").now_or_never();
            assert!(
                answer.is_some_and(|answer| token_of(&answer).is_some()),
                "the machine is too slow for this test"
            );
        };
        cluster.browser.forget_cookies("");
        soon(cluster.browser.sign_in(&cluster.osc)).await;
        let mut record = records(&cluster.server).await;
        record.retain(|record| !known.contains(record));

        // Node 1 sees this session for the first time. The answer with the record is a list of four
        // elements.
        wire.hold_answers();
        let mut first = cluster.waiting(1);
        tokio::select! {
            answer = &mut first => panic!("it does not ask Redis: {answer:?}"),
            () = soon(wire.holds("*4\r\n")) => {}
        }
        wire.forget_told();
        let old = cluster.token(0).await;
        let changed = if is_sign_out {
            cluster.sign_out(0).await;
            None
        } else {
            Some(soon(old.session().refresh(&old)).await.expect("a token"))
        };
        soon(wire.told(&record[0])).await;
        // After a round trip on this thread, node 1 has read all data that arrived before.
        cluster.server.command(&["PING"]).await;
        trusts();
        wire.release_answers();
        // This request began before the change, so it may return the earlier state.
        soon(first).await;

        let next = cluster.fetch(1).await;

        trusts();
        match changed {
            None => assert_refused(&next, "unauthenticated"),
            Some(new) => {
                assert_eq!(token_of(&next).expect("a token").access_token(), new.access_token());
            }
        }
    }
}
