//! What exists once: consumed states, and registrations.

use std::time::{Duration, Instant};

use super::super::{Ending, Found};
use super::{GRAIN, LONG, Nodes, at_once, create, live, name, ok, until};

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) async fn of_many_writes_of_what_exists_once_the_first_counts(nodes: &Nodes) {
    let name = name();
    assert_eq!(ok(nodes.there.read_once(&name)).await, None, "what was never created does not exist");
    let created = at_once(nodes, |node, number| {
        let name = name.clone();
        async move { ok(node.create_once(&name, &[number], HOUR)).await }
    });
    let created: Vec<u8> =
        created.await.into_iter().filter_map(|(number, done)| done.then_some(number)).collect();
    assert_eq!(created.len(), 1, "of many that create the same once, one is told that it did");
    for node in [&nodes.here, &nodes.there] {
        assert!(!ok(node.create_once(&name, b"late", HOUR)).await, "`create_once` says that a name is taken");
        assert_eq!(
            ok(node.read_once(&name)).await.as_ref(),
            Some(&created),
            "`create_once` never overwrites"
        );
    }
}

pub(super) async fn what_exists_once_can_be_removed(Nodes { here, there }: &Nodes) {
    let name = name();
    ok(there.remove_once(&name)).await;
    assert!(ok(here.create_once(&name, b"first", HOUR)).await, "a name that was never used is free");
    ok(there.remove_once(&name)).await;
    assert_eq!(ok(here.read_once(&name)).await, None, "what was removed is gone for every node");
    assert!(
        ok(here.create_once(&name, b"second", HOUR)).await,
        "a name is free when what it named was removed"
    );
    assert_eq!(
        ok(there.read_once(&name)).await,
        Some(b"second".to_vec()),
        "every node reads what was written"
    );
}

pub(super) async fn what_exists_once_expires(Nodes { here, there }: &Nodes) {
    const SHORT: Duration = Duration::from_millis(500);
    let (name, tried) = (name(), super::name());
    let before = Instant::now();
    assert!(ok(here.create_once(&name, b"first", SHORT)).await, "a name that was never used is free");
    assert!(ok(here.create_once(&tried, b"first", SHORT)).await, "a name that was never used is free");
    until("what exists once expires, and reading does not put that off", async || {
        ok(there.read_once(&name)).await.is_none().then_some(())
    })
    .await;
    assert!(before.elapsed() + GRAIN >= SHORT, "what exists once lives for as long as it was given");
    until("what exists once expires, and then its name is free", async || {
        ok(there.create_once(&tried, b"second", HOUR)).await.then_some(())
    })
    .await;
    assert_eq!(
        ok(here.read_once(&tried)).await,
        Some(b"second".to_vec()),
        "every node reads what was written"
    );
}

pub(super) async fn sessions_and_what_exists_once_do_not_meet(Nodes { here, there }: &Nodes) {
    const APART: &str = "sessions and what exists once have names of their own kinds";
    let name = create(here, LONG).await;
    assert_eq!(ok(there.read_once(&name)).await, None, "{APART}");
    assert!(ok(there.create_once(&name, b"once", HOUR)).await, "{APART}");
    assert_eq!(live(here, &name).await.sealed, b"1", "{APART}");
    ok(there.remove_once(&name)).await;
    assert_eq!(live(here, &name).await.sealed, b"1", "{APART}");
    assert!(ok(there.create_once(&name, b"once", HOUR)).await, "{APART}");
    ok(here.end(&name, Ending::SignedOut)).await;
    assert_eq!(ok(there.read_once(&name)).await, Some(b"once".to_vec()), "{APART}");
    ok(there.remove_once(&name)).await;
    assert_eq!(ok(here.read(&name)).await, Found::Ended(Ending::SignedOut), "{APART}");
}
