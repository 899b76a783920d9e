//! Ages, idle times and the time left. Differences between two of the store's own times do not depend on how fast the
//! machine is.

use std::time::{Duration, Instant, SystemTime};

use super::super::{Record, Replaced};
use super::{LONG, Node, Nodes, create, live, ok, until};

/// A store may count in whole seconds.
const COARSE: Duration = Duration::from_secs(1);

const WHILE: Duration = Duration::from_millis(200);

async fn aged(node: &Node, name: &str) -> Record {
    until("a record's age and idle time grow", async || {
        let record = live(node, name).await;
        (record.age > WHILE && record.idle > WHILE).then_some(record)
    })
    .await
}

pub(super) async fn a_record_tells_its_age_and_its_end(Nodes { here, there }: &Nodes) {
    let before = Instant::now();
    let name = create(here, LONG).await;
    let created = Instant::now();
    let waited = aged(there, &name).await;
    let (least, most) = (created.elapsed().saturating_sub(COARSE), before.elapsed() + COARSE);
    for (what, time) in [("age", waited.age), ("idle time", waited.idle)] {
        assert!(
            (least..=most).contains(&time),
            "the {what} is the time since a record was written: {waited:?}"
        );
    }
    let whole = waited.age + waited.ends_in;
    assert!(
        whole.abs_diff(LONG.absolute) <= COARSE,
        "the end is as far away as `create` was told: {waited:?}"
    );
}

pub(super) async fn only_a_touch_is_use(Nodes { here, there }: &Nodes) {
    let name = create(here, LONG).await;
    let waited = aged(there, &name).await;
    ok(here.refuse(&name, 1)).await;
    ok(here.lease(&name, "owner", COARSE)).await;
    ok(here.release(&name, "owner")).await;
    let marked = live(there, &name).await;
    assert!(
        marked.idle >= waited.idle,
        "`refuse`, `lease` and `release` are no use of a session: {marked:?}"
    );
    assert!(marked.age >= waited.age, "`refuse`, `lease` and `release` write no version: {marked:?}");
    ok(here.touch(&name)).await;
    let touched = live(there, &name).await;
    assert!(touched.age >= waited.age, "`touch` makes a version no younger: {touched:?}");
    assert!(touched.idle + WHILE <= touched.age, "the idle time begins anew with `touch`: {touched:?}");
    assert!(touched.ends_in <= waited.ends_in, "`touch` does not put off the end: {touched:?}");
}

pub(super) async fn a_replacement_is_young_and_no_use(Nodes { here, there }: &Nodes) {
    let name = create(here, LONG).await;
    let waited = aged(there, &name).await;
    assert_eq!(ok(here.replace(&name, 1, 2, b"2")).await, Replaced::Done, "a version can be replaced");
    let replaced = live(there, &name).await;
    assert!(replaced.idle >= waited.idle, "`replace` is no use of a session: {replaced:?}");
    assert!(replaced.age + WHILE <= replaced.idle, "a version's age begins with `replace`: {replaced:?}");
    assert!(replaced.ends_in <= waited.ends_in, "`replace` does not put off the end: {replaced:?}");
}

/// How much later one moment is; zero when it is earlier.
fn since(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

pub(super) async fn all_nodes_have_the_same_time(Nodes { here, there }: &Nodes) {
    let before = Instant::now();
    let (first, second) = (ok(here.now()).await, ok(there.now()).await);
    let most = before.elapsed() + COARSE;
    let apart = since(first, second) + since(second, first);
    assert!(apart <= most, "the store's time is the same for all nodes: not {apart:?} apart");
    until("the store's time goes on", async || (ok(there.now()).await > first).then_some(())).await;
    let (passed, most) = (since(first, ok(here.now()).await), before.elapsed() + COARSE);
    assert!(passed <= most, "the store's time goes as fast as any: not {passed:?}");
}
