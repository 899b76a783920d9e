//! Records expire by themselves.

use std::time::{Duration, Instant};

use super::super::{Ending, Expiry, Found, Leased, Replaced};
use super::{GRAIN, LONG, Nodes, create, ok, until};

const SHORT: Duration = Duration::from_millis(500);

/// Nothing brings back what expired.
async fn is_gone(Nodes { here, there }: &Nodes, name: &str) {
    assert_eq!(
        ok(here.replace(name, 1, 2, b"2")).await,
        Replaced::Absent,
        "an expired record is not replaced"
    );
    let leased = ok(here.lease(name, "owner", LONG.idle)).await;
    assert_eq!(leased, Leased::Absent, "there is no lease of an expired record");
    ok(here.touch(name)).await;
    assert_eq!(ok(here.end(name, Ending::SignedOut)).await, None, "what expired cannot end");
    assert_eq!(
        ok(there.read(name)).await,
        Found::Absent,
        "what expired is absent for every node, and leaves no mark"
    );
}

pub(super) async fn an_idle_record_expires_whatever_is_written(nodes: &Nodes) {
    let Nodes { here, there } = nodes;
    let before = Instant::now();
    let name = create(here, Expiry { idle: SHORT, ..LONG }).await;
    let mut version = 1;
    until(
        "a record expires when it was not touched, however much it is read, written and leased",
        async || {
            ok(here.lease(&name, "owner", LONG.idle)).await;
            ok(there.refuse(&name, version)).await;
            let replaced = ok(there.replace(&name, version, version + 1, b"next")).await;
            version += 1;
            (replaced == Replaced::Absent && ok(here.read(&name)).await == Found::Absent).then_some(())
        },
    )
    .await;
    assert!(before.elapsed() + GRAIN >= SHORT, "a record does not expire before its idle time is over");
    is_gone(nodes, &name).await;
}

pub(super) async fn a_record_expires_in_the_end_however_much_it_is_used(nodes: &Nodes) {
    let Nodes { here, there } = nodes;
    let before = Instant::now();
    let name = create(here, Expiry { absolute: SHORT, ..LONG }).await;
    let mut version = 1;
    until(
        "a record expires when its absolute time is over, however much it is used and written",
        async || {
            ok(there.touch(&name)).await;
            ok(there.replace(&name, version, version + 1, b"next")).await;
            version += 1;
            match ok(here.read(&name)).await {
                Found::Live(record) => {
                    assert!(record.ends_in <= SHORT, "a record tells when it ends: {record:?}");
                    None
                }
                found => (found == Found::Absent).then_some(()),
            }
        },
    )
    .await;
    assert!(before.elapsed() + GRAIN >= SHORT, "a record does not expire before its absolute time is over");
    is_gone(nodes, &name).await;
}

pub(super) async fn a_record_in_use_does_not_expire(Nodes { here, there }: &Nodes) {
    const IDLE: Duration = Duration::from_secs(1);
    const TRIES: usize = 5;
    let expiry = Expiry { idle: IDLE, ..LONG };
    for _ in 0..TRIES {
        let mut last = Instant::now();
        let (used, unused) = (create(here, expiry).await, create(here, expiry).await);
        let mut longest = Duration::ZERO;
        until("a record expires when it was not touched", async || {
            let next = Instant::now();
            ok(there.touch(&used)).await;
            longest = longest.max(last.elapsed());
            last = next;
            (ok(there.read(&unused)).await == Found::Absent).then_some(())
        })
        .await;
        let found = ok(there.read(&used)).await;
        // It had every right to expire when the machine stood still for so long.
        if longest.max(last.elapsed()) < IDLE - GRAIN {
            assert!(matches!(found, Found::Live(_)), "a record stays while it is touched: it is {found:?}");
            return;
        }
    }
    panic!("an operation takes far less than a second: in {TRIES} tries it never did");
}
