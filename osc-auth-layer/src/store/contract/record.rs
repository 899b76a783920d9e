//! Writing and reading.

use std::time::Duration;

use super::super::{Ending, Found, Leased, Replaced};
use super::{LONG, Nodes, at_once, content, create, live, name, ok};

pub(super) fn nodes_of_one_app_have_one_namespace(Nodes { here, there }: &Nodes) {
    assert_eq!(here.namespace(), there.namespace(), "records are sealed to a namespace: nodes have the same");
}

pub(super) async fn what_was_never_created_is_absent(Nodes { here, there }: &Nodes) {
    let name = name();
    assert_eq!(ok(here.read(&name)).await, Found::Absent, "what was never created is absent");
    let replaced = ok(here.replace(&name, 1, 2, b"2")).await;
    assert_eq!(replaced, Replaced::Absent, "`replace` says that there is no record");
    let leased = ok(here.lease(&name, "owner", Duration::from_secs(60))).await;
    assert_eq!(leased, Leased::Absent, "`lease` says that there is no record");
    ok(here.refuse(&name, 1)).await;
    ok(here.touch(&name)).await;
    ok(here.release(&name, "owner")).await;
    assert_eq!(ok(here.end(&name, Ending::SignedOut)).await, None, "`end` says that there is no record");
    assert_eq!(
        ok(there.read(&name)).await,
        Found::Absent,
        "only `create` makes a record, and an unknown name gets no mark"
    );
    assert!(ok(here.create(&name, b"1", LONG)).await, "a name is free until `create` takes it");
}

pub(super) async fn a_new_record_is_what_was_written(Nodes { here, there }: &Nodes) {
    let name = create(here, LONG).await;
    for node in [here, there] {
        let record = live(node, &name).await;
        assert_eq!(
            content(&record),
            (1, &b"1"[..], false),
            "every node reads what was created, as version 1"
        );
    }
}

pub(super) async fn create_never_overwrites(Nodes { here, there }: &Nodes) {
    let name = create(here, LONG).await;
    for node in [here, there] {
        assert!(!ok(node.create(&name, b"other", LONG)).await, "`create` says that a name is taken");
        assert_eq!(content(&live(here, &name).await), (1, &b"1"[..], false), "`create` never overwrites");
    }
}

pub(super) async fn of_many_creates_one_counts(nodes: &Nodes) {
    let name = name();
    let created = at_once(nodes, |node, number| {
        let name = name.clone();
        async move { ok(node.create(&name, &[number], LONG)).await }
    });
    let created: Vec<u8> =
        created.await.into_iter().filter_map(|(number, done)| done.then_some(number)).collect();
    assert_eq!(created.len(), 1, "of many that create a record at once, one is told that it did");
    assert_eq!(live(&nodes.here, &name).await.sealed, created, "the record is that of the one who made it");
}

pub(super) async fn replace_needs_the_version_it_replaces(Nodes { here, there }: &Nodes) {
    let name = create(here, LONG).await;
    for expected in [0, 2, 3] {
        let replaced = ok(there.replace(&name, expected, expected + 1, b"lost")).await;
        let Replaced::Conflict(record) = replaced else {
            panic!("`replace` replaces no other version than the expected: {replaced:?}");
        };
        assert_eq!(content(&record), (1, &b"1"[..], false), "a conflict comes with the record as it is");
        assert_eq!(content(&live(here, &name).await), (1, &b"1"[..], false), "a conflict changes nothing");
    }
    for (expected, version) in [(1, 2), (2, 7)] {
        let replaced = ok(there.replace(&name, expected, version, &[b'v', version as u8])).await;
        assert_eq!(replaced, Replaced::Done, "`replace` replaces the version that it expects");
        let record = live(here, &name).await;
        assert_eq!(
            content(&record),
            (version, &[b'v', version as u8][..], false),
            "every node reads what was replaced"
        );
    }
}

pub(super) async fn of_many_replaces_one_counts(nodes: &Nodes) {
    let name = create(&nodes.here, LONG).await;
    let replaced = at_once(nodes, |node, number| {
        let name = name.clone();
        async move { ok(node.replace(&name, 1, 2 + u64::from(number), &[number])).await }
    });
    let (done, others): (Vec<_>, Vec<_>) =
        replaced.await.into_iter().partition(|(_, replaced)| *replaced == Replaced::Done);
    let [(winner, _)] = done[..] else {
        panic!("of many that replace a version at once, one does: {} did", done.len());
    };
    let won = (2 + u64::from(winner), &[winner][..], false);
    assert_eq!(
        content(&live(&nodes.here, &name).await),
        won,
        "the record is that of the one who replaced it"
    );
    for (_, other) in others {
        let Replaced::Conflict(record) = other else {
            panic!("of many that replace a version at once, all but one are told of a conflict: {other:?}");
        };
        assert_eq!(content(&record), won, "a conflict comes with the record that was faster");
    }
}

pub(super) async fn refuse_marks_one_version_only(Nodes { here, there }: &Nodes) {
    let name = create(here, LONG).await;
    ok(here.refuse(&name, 2)).await;
    assert!(!live(there, &name).await.refused, "`refuse` marks no other version than the given");
    ok(here.refuse(&name, 1)).await;
    let record = live(there, &name).await;
    assert_eq!(
        content(&record),
        (1, &b"1"[..], true),
        "every node sees that a version was refused, and nothing else changes"
    );
    ok(here.touch(&name)).await;
    assert_eq!(
        content(&live(there, &name).await),
        (1, &b"1"[..], true),
        "`touch` changes neither version nor content nor mark"
    );
    let Replaced::Conflict(record) = ok(there.replace(&name, 2, 3, b"lost")).await else {
        panic!("`refuse` changes no version");
    };
    assert!(record.refused, "a conflict tells whether the record was refused");
    assert!(live(here, &name).await.refused, "a replacement that failed takes no mark away");
    assert_eq!(
        ok(there.replace(&name, 1, 2, b"2")).await,
        Replaced::Done,
        "a refused version can be replaced"
    );
    ok(here.refuse(&name, 1)).await;
    assert_eq!(
        content(&live(here, &name).await),
        (2, &b"2"[..], false),
        "a version is new: not refused by what the old one was"
    );
}
