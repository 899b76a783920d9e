use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn caller(account: Account) -> Caller {
    Caller { account: LazyCell::new(Box::new(|| account)), has_failed: false }
}

fn session(number: u8) -> Caller {
    caller(Account::Unknown(SessionId::parse(&[number; 43]).unwrap()))
}

fn again(number: u8) -> Caller {
    Caller { has_failed: true, ..session(number) }
}

fn user(name: &str) -> Caller {
    let claims = Claims { tenant_id: "team".to_owned(), user_id: Some(name.to_owned()) };
    caller(Account::User(claims))
}

fn admitted(breaker: &Breaker, now: Timestamp, caller: Caller) -> Attempt<'_> {
    breaker.admit(now, caller).unwrap_or_else(|_| panic!("it is not let through"))
}

/// A breaker after the first failures of several sessions.
fn suspicious() -> Breaker {
    let breaker = Breaker::default();
    for number in 0..3 {
        assert!(breaker.wait(at(0), || session(number)).is_none());
        admitted(&breaker, at(0), session(number)).failed(at(0));
    }
    breaker
}

/// The same after another session tried in vain.
fn sure() -> Breaker {
    let breaker = suspicious();
    admitted(&breaker, at(0), session(10)).failed(at(0));
    breaker
}

#[test]
fn one_users_sessions_are_no_outage_however_many_fail() {
    let breaker = Breaker::default();
    for _ in 0..70 {
        admitted(&breaker, at(0), user("ada")).failed(at(0));
    }
    assert!(breaker.wait(at(0), || user("grace")).is_none());
    admitted(&breaker, at(0), user("grace")).answered();
    admitted(&breaker, at(0), user("ada")).failed(at(0));
}

#[test]
fn sessions_that_failed_do_not_close_the_door_to_one_that_has_not() {
    let breaker = suspicious();
    for second in 0..1000 {
        assert!(breaker.wait(at(second), || session(10)).is_none(), "second {second}");
        if let Ok(retry) = breaker.admit(at(second), again(0)) {
            retry.failed(at(second));
        }
    }
    admitted(&breaker, at(1000), session(10)).answered();
    assert!(breaker.wait(at(1000), || again(0)).is_none(), "one success ends it");
}

#[test]
fn sessions_that_failed_wait_longer_and_longer() {
    let breaker = suspicious();
    assert!(breaker.wait(at(0), || again(0)).is_some());
    let mut probes = 0;
    for second in 0..3600 {
        if let Ok(retry) = breaker.admit(at(second), again(0)) {
            retry.failed(at(second));
            probes += 1;
        }
    }
    assert!((40..=66).contains(&probes), "{probes}");
}

#[test]
fn while_an_outage_is_suspected_one_asks_and_the_others_wait_for_the_verdict() {
    let breaker = suspicious();
    let probe = admitted(&breaker, at(0), session(10));
    let Err(Closed::UntilVerdict(verdict)) = breaker.admit(at(0), session(11)) else {
        panic!("the second is not told to wait");
    };
    assert!(!verdict.has_changed().unwrap());
    probe.failed(at(0));
    assert!(verdict.has_changed().unwrap());
    assert!(matches!(breaker.admit(at(0), session(11)), Err(Closed::For(_))));
    assert!(breaker.wait(at(0), || session(11)).is_some());
}

#[test]
fn a_probe_that_hangs_keeps_the_next_one_waiting_for_two_seconds() {
    let breaker = suspicious();
    let _hangs = admitted(&breaker, at(0), session(10));
    assert!(breaker.admit(at(1), session(11)).is_err());
    admitted(&breaker, at(2), session(11)).answered();
    assert!(breaker.wait(at(2), || again(0)).is_none());
}

#[test]
fn in_an_outage_all_sessions_together_ask_once_per_step() {
    let breaker = sure();
    let mut probes = 0;
    for second in 0..3600 {
        for number in 20..120 {
            if let Ok(probe) = breaker.admit(at(second), session(number)) {
                probe.failed(at(second));
                probes += 1;
            }
        }
    }
    // A step lasts a minute to a minute and a half.
    assert!((40..=70).contains(&probes), "{probes}");
}

#[test]
fn a_probe_that_is_dropped_gives_its_place_to_another() {
    let breaker = suspicious();
    drop(admitted(&breaker, at(0), session(10)));
    drop(admitted(&breaker, at(0), session(11)));
    let breaker = sure();
    drop(admitted(&breaker, at(4), again(0)));
    drop(admitted(&breaker, at(4), again(1)));
}
