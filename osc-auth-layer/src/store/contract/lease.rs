//! Who may refresh.

use std::time::{Duration, Instant};

use super::super::{Leased, Replaced};
use super::{GRAIN, LONG, Node, Nodes, at_once, content, create, live, ok, until};

const MINUTE: Duration = Duration::from_secs(60);

/// Somebody else has the lease: for how long, at most `longest`.
async fn held(node: &Node, name: &str, longest: Duration, promise: &str) -> Duration {
    match ok(node.lease(name, "somebody else", MINUTE)).await {
        Leased::Held(_, left) => {
            let range = Duration::from_millis(1)..=longest;
            assert!(range.contains(&left), "`Held` says for how long: not for {left:?}");
            left
        }
        other => panic!("{promise}: {other:?}"),
    }
}

pub(super) async fn of_many_owners_one_gets_the_lease(nodes: &Nodes) {
    let name = create(&nodes.here, LONG).await;
    let leased = at_once(nodes, |node, number| {
        let name = name.clone();
        async move { ok(node.lease(&name, &format!("owner {number}"), MINUTE)).await }
    });
    let mut granted = 0;
    for (_, leased) in leased.await {
        let record = match leased {
            Leased::Granted(record) => {
                granted += 1;
                record
            }
            Leased::Held(record, left) => {
                assert!(!left.is_zero() && left <= MINUTE, "`Held` says for how long: not for {left:?}");
                record
            }
            other => panic!("there is a record, whoever has its lease: {other:?}"),
        };
        assert_eq!(content(&record), (1, &b"1"[..], false), "`lease` comes with the record, granted or not");
    }
    assert_eq!(granted, 1, "of many that want a lease at once, one gets it");
    assert_eq!(content(&live(&nodes.there, &name).await), (1, &b"1"[..], false), "`lease` changes no record");
}

pub(super) async fn a_lease_holds_for_its_owner_until_it_is_given_back(Nodes { here, there }: &Nodes) {
    let name = create(here, LONG).await;
    for duration in [MINUTE, 10 * MINUTE] {
        let leased = ok(here.lease(&name, "owner", duration)).await;
        assert!(matches!(leased, Leased::Granted(_)), "an owner prolongs the lease it has: {leased:?}");
    }
    let left = held(there, &name, 10 * MINUTE, "a lease is one owner's").await;
    assert!(left > 5 * MINUTE, "a lease that is prolonged lasts from then on: not for {left:?}");
    ok(there.release(&name, "owne")).await;
    ok(there.release(&name, "somebody else")).await;
    held(there, &name, 10 * MINUTE, "a lease is given back by its owner only").await;
    ok(there.release(&name, "owner")).await;
    let leased = ok(there.lease(&name, "somebody else", MINUTE)).await;
    assert!(matches!(leased, Leased::Granted(_)), "a lease that was given back is free: {leased:?}");
}

pub(super) async fn a_lease_comes_with_the_record_and_stays_when_that_changes(Nodes { here, there }: &Nodes) {
    let name = create(here, LONG).await;
    ok(here.lease(&name, "owner", MINUTE)).await;
    ok(here.touch(&name)).await;
    held(there, &name, MINUTE, "a lease stays when its record is touched").await;
    ok(there.refuse(&name, 1)).await;
    held(there, &name, MINUTE, "a lease stays when its record is refused").await;
    match ok(here.lease(&name, "owner", MINUTE)).await {
        Leased::Granted(record) => {
            assert_eq!(content(&record), (1, &b"1"[..], true), "`lease` comes with the record as it is");
        }
        other => panic!("a lease stays its owner's when its record is refused: {other:?}"),
    }
    assert_eq!(
        ok(there.replace(&name, 1, 2, b"2")).await,
        Replaced::Done,
        "a lease keeps nobody from replacing"
    );
    held(there, &name, MINUTE, "a lease stays when its record is replaced").await;
    match ok(here.lease(&name, "owner", MINUTE)).await {
        Leased::Granted(record) => {
            assert_eq!(content(&record), (2, &b"2"[..], false), "`lease` comes with the record as it is");
        }
        other => panic!("a lease stays its owner's when its record is replaced: {other:?}"),
    }
}

pub(super) async fn a_lease_ends_by_itself_and_is_then_no_longer_its_owners(Nodes { here, there }: &Nodes) {
    const SHORT: Duration = Duration::from_millis(300);
    let name = create(here, LONG).await;
    let before = Instant::now();
    ok(here.lease(&name, "owner", SHORT)).await;
    until("a lease ends by itself, and asking for it does not prolong it", async || {
        match ok(there.lease(&name, "next", MINUTE)).await {
            Leased::Inherited(_) => Some(()),
            Leased::Held(_, left) => {
                assert!(left <= SHORT, "`Held` says for how long: not for {left:?}");
                None
            }
            other => panic!("a lease is not all that is left of a record: {other:?}"),
        }
    })
    .await;
    let leased = ok(there.lease(&name, "next", MINUTE)).await;
    assert!(matches!(leased, Leased::Granted(_)), "a lease is inherited once: {leased:?}");
    ok(there.release(&name, "next")).await;
    ok(here.lease(&name, "writer", SHORT)).await;
    assert_eq!(ok(here.replace(&name, 1, 2, b"2")).await, Replaced::Done);
    until("a lease ends by itself also when its record was replaced", async || {
        match ok(there.lease(&name, "next", MINUTE)).await {
            Leased::Granted(_) => Some(()),
            Leased::Held(..) => None,
            other => panic!("who wrote has nothing more to write: {other:?}"),
        }
    })
    .await;
    assert!(before.elapsed() + GRAIN >= SHORT, "a lease lasts for as long as it was taken");
    ok(here.release(&name, "owner")).await;
    let leased = ok(here.lease(&name, "owner", MINUTE)).await;
    assert!(
        matches!(leased, Leased::Held(..)),
        "who lost a lease neither gives it back nor prolongs it: {leased:?}"
    );
    assert_eq!(
        content(&live(here, &name).await),
        (2, &b"2"[..], false),
        "a record stays when its lease ends"
    );
}
