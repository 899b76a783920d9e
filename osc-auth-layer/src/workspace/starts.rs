//! Remembers what a session started: creates with an unknown outcome, and resumes.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use serde_json::Value;

use super::Instance;
use super::answer::Key;
use super::create::Order;
use crate::clock::Timestamp;

/// Long enough: the cluster starts a node within minutes.
const REMEMBERED_FOR: Duration = Duration::from_secs(30 * 60);
/// More than a user starts by hand in half an hour.
const MOST: usize = 64;

/// A create that may have been carried out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Start {
    pub(super) at: Timestamp,
    /// True if the instance may come from somebody else: the name was free when this session looked and taken when it sent
    /// the create, or another create of this session asked for other options.
    pub(super) needs_proof: bool,
}

#[derive(Default)]
pub(super) struct Starts {
    /// Creates by service, name and digest of the options.
    creates: HashMap<(Key, [u8; 32]), Start>,
    /// The number of calls under way for the same order, and whether one of them has got the instance.
    calls: HashMap<(Key, [u8; 32]), (usize, bool)>,
    resumes: HashMap<Key, Timestamp>,
}

impl Starts {
    /// Notes that a call for this order begins.
    pub(super) fn enter(&mut self, order: &Order) {
        self.calls.entry((order.key.clone(), order.digest)).or_default().0 += 1;
    }

    /// Notes that a call ends, with the instance or without.
    ///
    /// When the last call ends and one of them got the instance, the create is forgotten. If no call got it, a later call can
    /// still adopt it.
    pub(super) fn leave(&mut self, order: &Order, has_it: bool) {
        let key = (order.key.clone(), order.digest);
        let Some((calls, is_had)) = self.calls.get_mut(&key) else { return };
        *calls -= 1;
        *is_had |= has_it;
        if let (0, is_had) = (*calls, *is_had) {
            self.calls.remove(&key);
            if is_had {
                self.creates.remove(&key);
            }
        }
    }

    pub(super) fn begin(&mut self, order: &Order, now: Timestamp) {
        make_room(&mut self.creates, now, |start| start.at);
        self.creates.insert((order.key.clone(), order.digest), Start { at: now, needs_proof: false });
    }

    /// Notes that the platform says the name is taken.
    pub(super) fn doubt(&mut self, order: &Order) {
        if let Some(start) = self.creates.get_mut(&(order.key.clone(), order.digest)) {
            start.needs_proof = true;
        }
    }

    /// Notes that the create was not carried out, and restores the earlier knowledge.
    pub(super) fn undo(&mut self, order: &Order, earlier: Option<Start>) {
        let key = (order.key.clone(), order.digest);
        self.creates.remove(&key);
        self.creates.extend(earlier.map(|earlier| (key, earlier)));
    }

    pub(super) fn get(&self, order: &Order, now: Timestamp) -> Option<Start> {
        let recent = |start: &Start| is_recent(start.at, now);
        let mine = self.creates.get(&(order.key.clone(), order.digest)).filter(|start| recent(start))?;
        let is_contested = self
            .creates
            .iter()
            .any(|((key, digest), start)| *key == order.key && *digest != order.digest && recent(start));
        Some(Start { needs_proof: mine.needs_proof || is_contested, ..mine.clone() })
    }

    /// Forgets the name: an instance of this name no longer comes from anything that was started.
    pub(super) fn forget(&mut self, key: &Key) {
        self.creates.retain(|(other, _), _| other != key);
        self.resumes.remove(key);
    }

    pub(super) fn resumed(&mut self, key: Key, now: Timestamp) {
        make_room(&mut self.resumes, now, |at| *at);
        self.resumes.insert(key, now);
    }

    pub(super) fn resumed_at(&self, key: &Key) -> Option<Timestamp> {
        self.resumes.get(key).copied()
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.since(at) < REMEMBERED_FOR
}

/// Drops entries that are too old, and the oldest entry if there are too many.
fn make_room<K: Clone + Eq + Hash, T>(
    entries: &mut HashMap<K, T>,
    now: Timestamp,
    at: impl Fn(&T) -> Timestamp,
) {
    entries.retain(|_, entry| is_recent(at(entry), now));
    if entries.len() >= MOST
        && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| at(entry)).map(|(key, _)| key.clone())
    {
        entries.remove(&oldest);
    }
}

/// The next thing to do on the way to an instance.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// The instance exists, and this session started it.
    Adopt,
    /// The instance exists, and this session did not start it.
    Taken,
    /// The instance does not exist, and this call has not sent a create yet.
    Create,
    /// A create was sent, and the instance may turn up.
    Wait,
}

/// Decides what to do next from the instance that was found and from this session's own create with these options.
pub(super) fn next(found: Option<&Instance>, start: Option<&Start>, order: &Order, has_asked: bool) -> Next {
    match (found, start) {
        (None, _) if has_asked => Next::Wait,
        (None, _) => Next::Create,
        (Some(found), Some(start)) if !start.needs_proof || agrees(&order.body, found) => Next::Adopt,
        (Some(_), _) => Next::Taken,
    }
}

/// Returns false if the instance shows another value for an option than the order asks for. Options that the instance omits or
/// masks (as with secrets) are not compared.
fn agrees(asked: &Value, found: &Instance) -> bool {
    let asked = asked.as_object().into_iter().flatten();
    asked.filter(|(option, _)| *option != "name").all(|(option, asked)| {
        let (Some(asked), Some(shown)) = (plain(asked), found.fields.get(option).and_then(plain)) else {
            return true;
        };
        asked == shown || shown == "***" || asked.contains("{{secrets.")
    })
}

/// Returns a value as text, because a service may answer `"true"` for `true`. Lists and objects are not compared.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Doing;
    use super::*;
    use serde_json::json;

    fn order(name: &str, options: Value) -> Order {
        Order::new(Doing::new("create").of("a").to(name), options).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn instance(fields: Value) -> Instance {
        let mut instance = fields;
        instance["name"] = json!("store");
        serde_json::from_value(instance).unwrap()
    }

    #[test]
    fn only_instances_this_session_started_are_adopted() {
        let mine = order("store", json!({ "level": 1 }));
        let start = |needs_proof| Start { at: at(0), needs_proof };
        let (same, changed) = (instance(json!({ "level": 1 })), instance(json!({ "level": 2 })));
        for (found, start, has_asked, expected) in [
            (None, None, false, Next::Create),
            (None, Some(start(false)), false, Next::Create),
            (None, Some(start(false)), true, Next::Wait),
            (None, None, true, Next::Wait),
            (Some(&same), None, false, Next::Taken),
            (Some(&same), None, true, Next::Taken),
            (Some(&same), Some(start(false)), true, Next::Adopt),
            (Some(&same), Some(start(false)), false, Next::Adopt),
            (Some(&changed), Some(start(false)), true, Next::Adopt),
            (Some(&same), Some(start(true)), true, Next::Adopt),
            (Some(&changed), Some(start(true)), true, Next::Taken),
        ] {
            assert_eq!(next(found, start.as_ref(), &mine, has_asked), expected, "{start:?} {has_asked}");
        }
    }

    #[test]
    fn an_instance_agrees_unless_an_option_differs() {
        let asked = json!({ "name": "store", "user": "ada", "on": true, "n": 3, "password": "{{secrets.p}}", "list": [1] });
        for shown in [
            json!({}),
            json!({ "user": "ada", "on": "true", "n": "3", "password": "***", "list": [2] }),
            json!({ "user": "***", "on": true, "n": 3, "password": "hunter2" }),
            json!({ "user": "", "on": null }),
        ] {
            assert!(agrees(&asked, &instance(shown.clone())), "{shown}");
        }
        for shown in [json!({ "user": "eve" }), json!({ "on": false }), json!({ "n": "4" })] {
            assert!(!agrees(&asked, &instance(shown.clone())), "{shown}");
        }
    }

    #[test]
    fn starts_expire_after_half_an_hour_and_are_bounded() {
        let mut starts = Starts::default();
        let first = order("first", json!({}));
        starts.begin(&first, at(0));
        assert!(starts.get(&first, at(1799)).is_some());
        assert!(starts.get(&first, at(1800)).is_none());
        for n in 0..1000 {
            starts.begin(&order(&format!("n{n}"), json!({})), at(1 + n));
            starts.resumed(("a".to_owned(), format!("n{n}")), at(1 + n));
        }
        assert!(starts.creates.len() <= MOST && starts.resumes.len() <= MOST);
        assert!(starts.get(&order("n999", json!({})), at(1000)).is_some(), "the newest stay");
        starts.forget(&("a".to_owned(), "n999".to_owned()));
        assert!(starts.get(&order("n999", json!({})), at(1000)).is_none());
    }

    #[test]
    fn a_start_is_kept_until_its_instance_is_delivered() {
        let mine = order("store", json!({}));
        let is_kept = |ends: &[bool]| {
            let mut starts = Starts::default();
            ends.iter().for_each(|_| starts.enter(&mine));
            starts.begin(&mine, at(0));
            for (n, has_it) in ends.iter().enumerate() {
                assert!(starts.get(&mine, at(1)).is_some(), "{n} of {ends:?}");
                starts.leave(&mine, *has_it);
            }
            assert!(starts.calls.is_empty());
            starts.get(&mine, at(1)).is_some()
        };
        assert!(is_kept(&[false]) && is_kept(&[false, false]));
        assert!(!is_kept(&[true]) && !is_kept(&[true, false]) && !is_kept(&[false, true, true]));
    }

    #[test]
    fn a_create_with_other_options_puts_both_in_doubt() {
        let mut starts = Starts::default();
        let (one, two) = (order("store", json!({ "level": 1 })), order("store", json!({ "level": 2 })));
        starts.begin(&one, at(0));
        assert!(!starts.get(&one, at(1)).unwrap().needs_proof && starts.get(&two, at(1)).is_none());
        starts.begin(&two, at(1));
        assert!(starts.get(&one, at(1)).unwrap().needs_proof && starts.get(&two, at(1)).unwrap().needs_proof);
        starts.undo(&two, None);
        assert!(!starts.get(&one, at(1)).unwrap().needs_proof);
        starts.doubt(&one);
        assert!(starts.get(&one, at(1)).unwrap().needs_proof);
    }
}
