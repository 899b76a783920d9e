//! Sign-out wins.

use std::time::Duration;

use super::super::{Ending, Expiry, Found, Leased, Record, Replaced};
use super::{LONG, MANY, Nodes, at_once, content, create, ok, until};

const ENDINGS: [(Ending, Ending); 2] =
    [(Ending::SignedOut, Ending::Replaced), (Ending::Replaced, Ending::SignedOut)];

pub(super) async fn the_first_ending_counts(Nodes { here, there }: &Nodes) {
    for (first, second) in ENDINGS {
        let name = create(here, LONG).await;
        ok(here.replace(&name, 1, 2, b"2")).await;
        ok(here.refuse(&name, 2)).await;
        let record = ok(there.end(&name, first)).await;
        let record = record.as_ref().map(content);
        assert_eq!(record, Some((2, &b"2"[..], true)), "`end` returns what the record held last");
        assert_eq!(ok(here.read(&name)).await, Found::Ended(first), "every node sees how a session ended");
        assert_eq!(ok(here.end(&name, second)).await, None, "a session ends once");
        assert_eq!(ok(there.read(&name)).await, Found::Ended(first), "the first ending counts");
    }
}

pub(super) async fn of_many_endings_one_counts(nodes: &Nodes) {
    let name = create(&nodes.here, LONG).await;
    let ending = |number| if number % 4 < 2 { Ending::SignedOut } else { Ending::Replaced };
    let ended = at_once(nodes, |node, number| {
        let name = name.clone();
        async move { ok(node.end(&name, ending(number))).await.is_some() }
    });
    let ended: Vec<_> = ended.await.into_iter().filter(|(_, first)| *first).collect();
    let [(first, _)] = ended[..] else {
        panic!("of many that end a session at once, one gets its record: {} did", ended.len());
    };
    let found = ok(nodes.here.read(&name)).await;
    assert_eq!(found, Found::Ended(ending(first)), "the ending that counts is that of who got the record");
}

pub(super) async fn what_ended_does_not_come_back(Nodes { here, there }: &Nodes) {
    for (ending, _) in ENDINGS {
        let name = create(here, LONG).await;
        ok(here.lease(&name, "owner", LONG.idle)).await;
        ok(here.end(&name, ending)).await;
        assert!(
            !ok(there.create(&name, b"again", LONG)).await,
            "the name of a session that ended is not free"
        );
        for expected in [0, 1] {
            let replaced = ok(there.replace(&name, expected, 2, b"2")).await;
            assert_eq!(replaced, Replaced::Ended(ending), "`replace` says how a session ended");
        }
        for owner in ["owner", "somebody else"] {
            let leased = ok(there.lease(&name, owner, LONG.idle)).await;
            assert_eq!(leased, Leased::Ended(ending), "`lease` says how a session ended");
        }
        ok(there.touch(&name)).await;
        ok(there.refuse(&name, 1)).await;
        ok(there.release(&name, "owner")).await;
        for node in [here, there] {
            assert_eq!(
                ok(node.read(&name)).await,
                Found::Ended(ending),
                "a session that ended does not come back"
            );
        }
    }
}

enum Came {
    Replaced(Replaced),
    Ended(Option<Record>),
    Nothing,
}

pub(super) async fn an_end_wins_against_writes_at_the_same_time(nodes: &Nodes) {
    // The end is begun first, last and anywhere between.
    for turn in 0..MANY {
        let name = create(&nodes.here, LONG).await;
        let came = at_once(nodes, |node, number| {
            let name = name.clone();
            async move {
                let number = (number + turn) % MANY;
                if number == 0 {
                    return Came::Ended(ok(node.end(&name, Ending::SignedOut)).await);
                }
                match number % 5 {
                    0 => return Came::Replaced(ok(node.replace(&name, 1, 2, b"2")).await),
                    1 => ok(node.touch(&name)).await,
                    2 => ok(node.refuse(&name, 1)).await,
                    3 => drop(ok(node.lease(&name, "owner", LONG.idle)).await),
                    _ => ok(node.release(&name, "owner")).await,
                }
                Came::Nothing
            }
        });
        let (mut last, mut held) = (1, None);
        for (_, came) in came.await {
            match came {
                Came::Replaced(Replaced::Done) => last = 2,
                Came::Replaced(Replaced::Absent) => panic!("a session that was ended is not absent"),
                Came::Ended(record) => held = record,
                Came::Replaced(_) | Came::Nothing => {}
            }
        }
        let held = held.map(|record| record.version);
        assert_eq!(
            held,
            Some(last),
            "`end` returns what the record held last, also when it is being replaced"
        );
        for node in [&nodes.here, &nodes.there] {
            let found = ok(node.read(&name)).await;
            assert_eq!(found, Found::Ended(Ending::SignedOut), "an end wins against writes at the same time");
        }
    }
}

pub(super) async fn a_mark_outlasts_the_record_it_stands_for(Nodes { here, there }: &Nodes) {
    const BRIEF: Expiry = Expiry { idle: Duration::from_secs(1), absolute: Duration::from_secs(1) };
    // The second is there until the first would have expired too. Where the machine stalls, both go too early.
    let (ended, twin) = (create(here, BRIEF).await, create(here, BRIEF).await);
    let was_there = ok(here.end(&ended, Ending::SignedOut)).await.is_some();
    until("a record expires by itself", async || {
        (ok(there.read(&twin)).await == Found::Absent).then_some(())
    })
    .await;
    if was_there {
        let found = ok(there.read(&ended)).await;
        assert_eq!(found, Found::Ended(Ending::SignedOut), "a mark outlasts the record it stands for");
    }
}
