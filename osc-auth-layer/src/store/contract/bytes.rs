//! Values and keys of every kind.

use super::{LONG, Nodes, get, held, key, swap};

/// Returns 64 KiB with every byte, and with many pairs that have a meaning somewhere, such as CR LF.
fn every_byte() -> Vec<u8> {
    (0..u16::MAX / 2 + 1).flat_map(u16::to_be_bytes).collect()
}

pub(super) async fn every_byte_survives(Nodes { here, there }: &Nodes) {
    let (first, key) = (every_byte(), key());
    let second: Vec<u8> = first.iter().rev().copied().collect();
    // Not compared with `assert_eq`, which would print them.
    let version = swap(here, &key, None, &first, Some(LONG)).await.expect("a new key is free");
    assert!(held(there, &key).await.value == first, "every byte of 64 KiB survives");
    swap(there, &key, Some(version), &second, None).await.expect("the expected version is there");
    let found = swap(here, &key, Some(version), &first, None).await.expect_err("the version is stale");
    assert!(found.entry.is_some_and(|entry| entry.value == second), "every byte of a conflict survives");
}

pub(super) async fn keys_that_differ_in_case_are_two(Nodes { here, there }: &Nodes) {
    let rest = key().split_off(4);
    let (one, other) = (format!("-_aZ{rest}"), format!("-_Az{rest}"));
    swap(here, &one, None, b"one", Some(LONG)).await.expect("`-` and `_` are as good as letters");
    assert_eq!(get(there, &other).await, None, "keys that differ in case are two");
    swap(there, &other, None, b"other", Some(LONG)).await.expect("keys that differ in case are two");
    assert_eq!(held(there, &one).await.value, b"one", "keys that differ in case are two");
}
