use std::time::{Duration, UNIX_EPOCH};

use redis::Value;

use crate::store::redis::scripts::{found, swapped};
use crate::store::{Entry, Found, RecordName, Swapped, Version};

/// Input: bytes from Redis, as they come over the wire. They count as an entry or as nothing only in the form that the scripts use.
/// An entry written from the same bytes comes back unchanged.
pub fn redis_answer(data: &[u8]) {
    reads_what_was_written(data);
    let Ok(answer) = redis::parse_redis_value(data) else { return };
    for name in texts(&answer) {
        if let Some(parsed) = RecordName::parse(name) {
            assert_eq!(parsed.text(), name);
        }
    }
    match (found(answer.clone()), swapped(answer)) {
        (Ok(found), Ok(Swapped::Conflict(other))) => {
            assert_eq!(found, other);
            assert!(found.now >= UNIX_EPOCH);
            assert!(found.entry.is_none_or(|entry| entry.expires_at >= found.now));
        }
        (Err(_), Ok(Swapped::Done { now })) => assert!(now >= UNIX_EPOCH),
        (Err(_), Err(_)) => {}
        (found, swapped) => panic!("read as {found:?} and as {swapped:?}"),
    }
}

fn texts(answer: &Value) -> Vec<&str> {
    match answer {
        Value::BulkString(text) => std::str::from_utf8(text).into_iter().collect(),
        Value::SimpleString(text) => vec![text],
        Value::VerbatimString { text, .. } => vec![text],
        Value::Array(parts) => parts.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Writes numbers, a version and then the value, as the scripts do.
fn reads_what_was_written(data: &[u8]) {
    let Some((numbers, rest)) = data.split_first_chunk::<8>() else { return };
    let Some((version, value)) = rest.split_first_chunk::<16>() else { return };
    let number = |at: usize| u64::from(u32::from_be_bytes([0, 1, 2, 3].map(|byte| numbers[4 * at + byte])));
    let (now, left) = (number(0), number(1));
    let bulk = |text: &[u8]| [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
    let time = bulk(now.to_string().as_bytes());
    let row =
        [&b"*4\r\n"[..], &time, &bulk(version), &bulk(value), format!(":{left}\r\n").as_bytes()].concat();
    let now = UNIX_EPOCH + Duration::from_millis(now);
    let entry = Entry {
        version: Version::from_bytes(*version),
        value: value.to_vec(),
        expires_at: now + Duration::from_millis(left),
    };
    let answer = redis::parse_redis_value(&row).expect("written as Redis does");
    assert_eq!(found(answer), Ok(Found { entry: Some(entry), now }));
    let done = redis::parse_redis_value(&[&b"*1\r\n"[..], &time].concat()).expect("written as Redis does");
    assert_eq!(swapped(done), Ok(Swapped::Done { now }));
}
