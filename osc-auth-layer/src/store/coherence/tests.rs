use std::sync::atomic::AtomicBool;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::log::REMEMBERED;
use super::*;

fn name(byte: u8) -> RecordName {
    RecordName::once(&[&byte.to_string()])
}

fn confirmed() -> Coherence {
    let coherence = Coherence::new();
    coherence.confirm(Instant::now());
    coherence
}

/// Trusted for longer than a test takes on a busy machine.
fn trusted() -> Coherence {
    let coherence = Coherence::new();
    coherence.confirm(Instant::now() + Duration::from_secs(60 * 60));
    coherence
}

#[test]
fn a_record_that_was_read_is_trusted_until_it_changes() {
    let (coherence, stamp) = (confirmed(), AtomicU64::new(0));
    assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
    coherence.stamp(&stamp, coherence.before_read(&name(1)));
    assert!(coherence.trusts(&stamp, &name(1), Instant::now()));
    coherence.changed(&name(1));
    assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
}

#[test]
fn s52_a_change_between_a_read_and_its_use_is_not_missed() {
    let (coherence, stamp) = (confirmed(), AtomicU64::new(0));
    let before = coherence.before_read(&name(1));
    coherence.changed(&name(1));
    coherence.stamp(&stamp, before);
    assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
}

#[test]
fn s53_trust_ends_a_second_after_the_last_confirmation() {
    let (coherence, stamp) = (confirmed(), AtomicU64::new(0));
    coherence.stamp(&stamp, coherence.before_read(&name(1)));
    let now = Instant::now();
    assert!(coherence.trusts(&stamp, &name(1), now));
    assert!(!coherence.trusts(&stamp, &name(1), now + Duration::from_millis(1001)));
    coherence.confirm(now + Duration::from_millis(900));
    assert!(
        coherence.trusts(&stamp, &name(1), now + Duration::from_millis(1001)),
        "nothing was missed meanwhile"
    );
}

#[test]
fn a_break_in_the_sequence_forgets_everything_read_before() {
    let (coherence, stamp) = (confirmed(), AtomicU64::new(0));
    let before = coherence.before_read(&name(1));
    coherence.stamp(&stamp, before);
    coherence.forget();
    coherence.confirm(Instant::now());
    assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
    coherence.stamp(&stamp, before);
    assert!(!coherence.trusts(&stamp, &name(1), Instant::now()), "a read that began before the break");
}

/// Names of other records that share the log of `name(1)`.
fn neighbours() -> impl Iterator<Item = RecordName> {
    let of_number = |number: u32| {
        let mut bytes = URL_SAFE_NO_PAD.decode(name(1).text()).unwrap();
        bytes[2..6].copy_from_slice(&number.to_le_bytes());
        RecordName::parse(&URL_SAFE_NO_PAD.encode(bytes)).unwrap()
    };
    (0..).map(of_number).filter(|other| *other != name(1))
}

#[test]
fn s52_changes_to_other_records_spoil_nothing_and_hide_no_own_change() {
    let (coherence, stamp) = (trusted(), AtomicU64::new(0));
    coherence.stamp(&stamp, coherence.before_read(&name(1)));
    let others: Vec<_> = neighbours().take(REMEMBERED as usize - 1).collect();
    for round in 0..4 {
        others.iter().for_each(|other| coherence.changed(other));
        assert!(coherence.trusts(&stamp, &name(1), Instant::now()), "round {round}");
    }
    // Its own change is found wherever it is among the others.
    for place in 0..others.len() {
        coherence.stamp(&stamp, coherence.before_read(&name(1)));
        for (number, other) in others[1..].iter().enumerate() {
            if number == place {
                coherence.changed(&name(1));
            }
            coherence.changed(other);
        }
        let is_among_them = place < others.len() - 1;
        assert_eq!(coherence.trusts(&stamp, &name(1), Instant::now()), !is_among_them, "{place}");
    }
}

#[test]
fn s52_a_record_is_read_again_if_the_log_has_forgotten_a_change_since() {
    let (coherence, stamp) = (trusted(), AtomicU64::new(0));
    coherence.stamp(&stamp, coherence.before_read(&name(1)));
    coherence.changed(&name(1));
    neighbours().take(REMEMBERED as usize).for_each(|other| coherence.changed(&other));
    assert!(!coherence.trusts(&stamp, &name(1), Instant::now()));
}

#[test]
fn s52_a_change_is_found_while_other_threads_log_theirs() {
    let (coherence, stamp, is_over) = (trusted(), AtomicU64::new(0), AtomicBool::new(false));
    let missed = std::thread::scope(|scope| {
        for other in neighbours().take(2) {
            let (coherence, is_over) = (&coherence, &is_over);
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    coherence.changed(&other);
                }
            });
        }
        let is_missed = |_: &u32| {
            coherence.stamp(&stamp, coherence.before_read(&name(1)));
            coherence.changed(&name(1));
            coherence.trusts(&stamp, &name(1), Instant::now())
        };
        let missed = (0..20_000).filter(is_missed).count();
        is_over.store(true, SeqCst);
        missed
    });
    assert_eq!(missed, 0);
}

#[tokio::test]
async fn a_wait_for_a_change_ignores_the_changes_of_other_records() {
    let coherence = confirmed();
    let one = name(1);
    let mut waits = Box::pin(coherence.change(&one, coherence.before_read(&one)));
    for other in neighbours().take(3 * REMEMBERED as usize) {
        coherence.changed(&other);
        assert!(futures_util::poll!(&mut waits).is_pending());
    }
    coherence.changed(&name(1));
    waits.await;
}

#[tokio::test]
async fn a_change_wakes_waiters_even_if_it_came_first() {
    let (coherence, one, two) = (confirmed(), name(1), name(2));
    let before = coherence.before_read(&one);
    let mut waits = Box::pin(coherence.change(&one, before));
    let mut other = Box::pin(coherence.change(&two, coherence.before_read(&two)));
    assert!(futures_util::poll!(&mut waits).is_pending() && futures_util::poll!(&mut other).is_pending());
    coherence.changed(&one);
    waits.await;
    assert!(futures_util::poll!(&mut other).is_pending());
    coherence.change(&one, before).await;
}
