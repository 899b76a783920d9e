//! The entries that belong together.

use std::time::Duration;

use super::{LONG, Node, Nodes, key, ok, until};
use crate::store::{Swap, Swapped, Version};

async fn put(
    node: &Node,
    key: &str,
    expected: Option<Version>,
    group: Option<&str>,
    expires_in: Duration,
) -> Version {
    let version = Version::random();
    let swap = Swap { expected, version, value: b"1", expires_in: Some(expires_in), group };
    let swapped = ok(node.swap(key, swap)).await;
    assert!(matches!(swapped, Swapped::Done { .. }), "the expected version is there");
    version
}

/// Returns the keys of a group, in order.
async fn members(node: &Node, group: &str) -> Vec<String> {
    let mut members = ok(node.members(group)).await;
    members.sort();
    members
}

pub(super) async fn a_group_has_its_live_entries(Nodes { here, there }: &Nodes) {
    let (group, other) = (&*key(), &*key());
    assert_eq!(members(here, group).await, [""; 0], "a group without entries is empty");
    let mut keys = [key(), key()];
    keys.sort();
    put(here, &keys[0], None, Some(group), LONG).await;
    let version = put(there, &keys[1], None, Some(group), LONG).await;
    let (short, foreign) = (key(), key());
    put(here, &short, None, Some(group), Duration::from_millis(300)).await;
    put(here, &foreign, None, Some(other), LONG).await;
    until("an expired entry leaves its group", async || (members(there, group).await == keys).then_some(()))
        .await;
    assert_eq!(members(there, other).await, [foreign], "groups are apart");
    ok(here.delete(&keys[1], version)).await;
    assert_eq!(members(there, group).await, [keys[0].clone()], "a deleted entry leaves its group");
}

pub(super) async fn an_entry_belongs_to_the_group_of_its_last_swap(Nodes { here, there }: &Nodes) {
    let (key, first, second) = (&*key(), &*key(), &*key());
    let none = [""; 0];
    let version = put(here, key, None, None, LONG).await;
    let version = put(here, key, Some(version), Some(first), LONG).await;
    assert_eq!(members(there, first).await, [key], "a swap puts an entry into a group");
    let version = put(there, key, Some(version), Some(second), LONG).await;
    assert_eq!((members(here, first).await, members(here, second).await), (Vec::new(), vec![key.to_owned()]));
    ok(here.touch(key, version, 2 * LONG)).await;
    assert_eq!(members(there, second).await, [key], "a touch leaves the entry in its group");
    put(here, key, Some(version), None, LONG).await;
    assert_eq!(members(there, second).await, none, "a swap without a group takes the entry out of it");
}
