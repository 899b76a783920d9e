//! What a store must not trip over: bytes, names and numbers of every kind.

use super::super::{Ending, Found, Leased, Record, Replaced};
use super::{LONG, Nodes, create, live, name, ok};

/// 64 KiB with every byte, and with many a pair that means something somewhere, such as CR LF.
fn every_byte() -> Vec<u8> {
    (0..u16::MAX / 2 + 1).flat_map(u16::to_be_bytes).collect()
}

pub(super) async fn every_byte_survives(Nodes { here, there }: &Nodes) {
    let (first, name) = (every_byte(), name());
    let second: Vec<u8> = first.iter().rev().copied().collect();
    // Not compared with `assert_eq`, which would print them.
    let same =
        |record: &Record, bytes: &[u8]| assert!(record.sealed == bytes, "every byte of 64 KiB survives");
    assert!(ok(here.create(&name, &first, LONG)).await, "a name that was never used is free");
    same(&live(there, &name).await, &first);
    assert_eq!(ok(here.replace(&name, 1, 2, &second)).await, Replaced::Done, "`replace` takes 64 KiB");
    same(&live(there, &name).await, &second);
    match ok(there.replace(&name, 1, 2, &first)).await {
        Replaced::Conflict(record) => same(&record, &second),
        other => panic!("a version that was replaced cannot be replaced again: {other:?}"),
    }
    for owner in ["owner", "another"] {
        match ok(there.lease(&name, owner, LONG.idle)).await {
            Leased::Granted(record) | Leased::Held(record, _) => same(&record, &second),
            other => panic!("`lease` comes with the record: {other:?}"),
        }
    }
    match ok(there.end(&name, Ending::SignedOut)).await {
        Some(record) => same(&record, &second),
        None => panic!("`end` returns the record"),
    }
    assert!(
        ok(here.create_once(&name, &first, LONG.idle)).await,
        "a name of what exists once is free at first"
    );
    assert!(
        ok(there.read_once(&name)).await.as_ref() == Some(&first),
        "every byte of what exists once survives"
    );
}

pub(super) async fn names_that_differ_in_case_are_two(Nodes { here, there }: &Nodes) {
    let rest = name().split_off(4);
    let (one, other) = (format!("-_aZ{rest}"), format!("-_Az{rest}"));
    assert!(ok(here.create(&one, b"one", LONG)).await, "`-` and `_` are as good as letters");
    assert_eq!(ok(there.read(&other)).await, Found::Absent, "names that differ in case are two");
    assert!(ok(there.create(&other, b"other", LONG)).await, "names that differ in case are two");
    assert_eq!(live(there, &one).await.sealed, b"one", "names that differ in case are two");
    assert!(ok(here.create_once(&one, b"one", LONG.idle)).await, "`-` and `_` are as good as letters");
    assert_eq!(ok(there.read_once(&other)).await, None, "names that differ in case are two");
}

/// A store that counts in floating point cannot.
pub(super) async fn large_versions_are_told_apart(Nodes { here, there }: &Nodes) {
    const LARGE: u64 = (1 << 53) + 1;
    let name = create(here, LONG).await;
    assert_eq!(ok(here.replace(&name, 1, LARGE, b"2")).await, Replaced::Done, "a version may be any number");
    assert_eq!(live(there, &name).await.version, LARGE, "a version may be any number");
    let replaced = ok(there.replace(&name, LARGE - 1, LARGE + 1, b"lost")).await;
    assert!(matches!(replaced, Replaced::Conflict(_)), "large versions are told apart: {replaced:?}");
    ok(there.refuse(&name, LARGE - 1)).await;
    assert!(!live(here, &name).await.refused, "large versions are told apart");
}
