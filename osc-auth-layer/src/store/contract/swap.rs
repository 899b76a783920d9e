//! Reading, writing and deleting.

use super::{LONG, Nodes, at_once, create, get, held, key, ok, swap};
use crate::store::Version;

pub(super) fn nodes_of_one_app_have_one_namespace(Nodes { here, there }: &Nodes) {
    assert_eq!(
        here.namespace(),
        there.namespace(),
        "values are sealed to a namespace, so nodes have the same"
    );
}

pub(super) async fn an_unknown_key_is_absent(Nodes { here, there }: &Nodes) {
    let (key, other) = (key(), Version::random());
    assert_eq!(get(here, &key).await, None, "a key that was never written is absent");
    let swapped = swap(there, &key, Some(other), b"1", Some(LONG)).await;
    assert_eq!(swapped.expect_err("a swap needs the expected version").entry, None, "there is no entry");
    ok(here.touch(&key, other, LONG)).await;
    ok(here.delete(&key, other)).await;
    assert_eq!(get(there, &key).await, None, "only a swap that expects no entry makes one");
}

pub(super) async fn a_new_entry_is_read_by_every_node(nodes: &Nodes) {
    let (key, version) = create(&nodes.here, LONG).await;
    for node in [&nodes.here, &nodes.there] {
        let entry = held(node, &key).await;
        assert_eq!((entry.version, &*entry.value), (version, &b"1"[..]), "every node reads what was written");
    }
}

pub(super) async fn a_swap_needs_the_expected_version(Nodes { here, there }: &Nodes) {
    let (key, first) = create(here, LONG).await;
    let second = swap(there, &key, Some(first), b"2", None).await.expect("the expected version is there");
    for expected in [None, Some(first), Some(Version::random())] {
        let found =
            swap(here, &key, expected, b"3", Some(LONG)).await.expect_err("a stale swap does not write");
        let entry = found.entry.expect("a conflict returns the entry");
        assert_eq!(
            (entry.version, &*entry.value),
            (second, &b"2"[..]),
            "a conflict returns what the store holds"
        );
    }
    ok(here.delete(&key, first)).await;
    assert_eq!(held(there, &key).await.version, second, "a stale `delete` does nothing");
}

pub(super) async fn of_many_new_entries_one_counts(nodes: &Nodes) {
    let key = key();
    let created = at_once(nodes, |node, number| {
        let key = key.clone();
        async move { swap(&node, &key, None, &[number], Some(LONG)).await }
    });
    let created: Vec<_> = created.await.into_iter().filter(|(_, swapped)| swapped.is_ok()).collect();
    let [(number, Ok(version))] = &created[..] else {
        panic!("of many swaps that expect no entry, one writes: {created:?}")
    };
    let entry = held(&nodes.here, &key).await;
    assert_eq!(
        (entry.version, &*entry.value),
        (*version, &[*number][..]),
        "the entry is that of the swap that wrote"
    );
}

pub(super) async fn of_many_swaps_one_counts(nodes: &Nodes) {
    let (key, first) = create(&nodes.here, LONG).await;
    let swapped = at_once(nodes, |node, number| {
        let key = key.clone();
        async move { swap(&node, &key, Some(first), &[number], None).await }
    });
    let swapped = swapped.await;
    let done: Vec<_> = swapped.iter().filter(|(_, swapped)| swapped.is_ok()).cloned().collect();
    let [(number, Ok(version))] = &done[..] else { panic!("of many swaps, one writes: {done:?}") };
    let entry = held(&nodes.there, &key).await;
    assert_eq!(
        (entry.version, &*entry.value),
        (*version, &[*number][..]),
        "the entry is that of the swap that wrote"
    );
    for found in swapped.into_iter().filter_map(|(_, swapped)| swapped.err()) {
        assert_eq!(
            found.entry.map(|entry| entry.version),
            Some(*version),
            "a conflict returns the new entry"
        );
    }
}

pub(super) async fn a_deleted_entry_is_absent(Nodes { here, there }: &Nodes) {
    let (key, version) = create(here, LONG).await;
    ok(there.delete(&key, version)).await;
    assert_eq!(get(here, &key).await, None, "a deleted entry is absent for every node");
    let swapped = swap(here, &key, Some(version), b"2", Some(LONG)).await;
    assert!(swapped.is_err(), "no swap brings a deleted entry back");
    swap(there, &key, None, b"3", Some(LONG)).await.expect("the key of a deleted entry is free");
    assert_eq!(held(here, &key).await.value, b"3", "every node reads what was written");
}
