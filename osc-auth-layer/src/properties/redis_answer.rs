use std::time::{Duration, UNIX_EPOCH};

use redis::Value;

use crate::store::redis::scripts::{found, leased, replaced, time};
use crate::store::{Ending, Found, Leased, Record, RecordName, Replaced};

/// Input: bytes from Redis, as they come over the wire. They count as a record, a mark or nothing only in the form that the
/// scripts use. A record written from the same bytes comes back unchanged.
pub fn redis_answer(data: &[u8]) {
    reads_what_was_written(data);
    let Ok(answer) = redis::parse_redis_value(data) else { return };
    for name in texts(&answer) {
        if let Some(parsed) = RecordName::parse(name) {
            assert_eq!(parsed.text(), name);
        }
    }
    if let Ok(time) = time(answer.clone()) {
        assert!(time >= UNIX_EPOCH);
    }
    let row = found(answer.clone());
    let lease = leased(answer.clone());
    if !is_plain(&answer) {
        return;
    }
    match (&row, replaced(answer.clone())) {
        (Ok(Found::Live(record)), Ok(Replaced::Conflict(other))) => assert_eq!(*record, other),
        (Ok(Found::Ended(ending)), Ok(Replaced::Ended(other))) => assert_eq!(*ending, other),
        (Ok(Found::Absent), Ok(Replaced::Absent)) => {}
        (Err(_), Ok(Replaced::Done)) => assert_eq!(answer, Value::Nil),
        (Err(_), Err(_)) => {}
        (row, replaced) => panic!("read as {row:?} and as {replaced:?}"),
    }
    match &row {
        Ok(Found::Live(record)) => is_its_row(&answer, record),
        Ok(Found::Ended(ending)) => {
            let mark = if *ending == Ending::SignedOut { "signed-out" } else { "replaced" };
            assert!(texts(&answer).contains(&mark));
        }
        Ok(Found::Absent) => {
            let Value::Array(row) = &answer else { panic!("nothing, in what is no row") };
            assert_eq!((row.len(), &row[1], &row[2]), (8, &Value::Nil, &Value::Nil));
        }
        Err(_) => {}
    }
    if let (Ok(leased), Value::Array(parts)) = (lease, &answer) {
        let row = found(parts[1].clone());
        match (leased, row) {
            (
                Leased::Granted(record) | Leased::Inherited(record) | Leased::Held(record, _),
                Ok(Found::Live(other)),
            ) => {
                assert_eq!(record, other);
            }
            (Leased::Ended(ending), Ok(Found::Ended(other))) => assert_eq!(ending, other),
            (Leased::Absent, Ok(Found::Absent)) => {}
            (leased, row) => panic!("read as {leased:?} and as {row:?}"),
        }
    }
}

fn is_its_row(answer: &Value, record: &Record) {
    let Value::Array(row) = answer else { panic!("a record in what is no row") };
    assert_eq!(row.len(), 8);
    assert_eq!(row[1], Value::Nil, "not ended");
    let sealed = match &row[3] {
        Value::BulkString(sealed) => sealed.as_slice(),
        Value::SimpleString(sealed) => sealed.as_bytes(),
        Value::VerbatimString { text, .. } => text.as_bytes(),
        // The client also makes bytes of a list of numbers. A sealed value is never such a list.
        Value::Array(_) | Value::Map(_) => return,
        other => panic!("sealed bytes in {other:?}"),
    };
    assert_eq!(record.sealed, sealed);
}

/// Returns true for the kinds of values that the scripts use. The client reads a RESP3 set as a list, and skips attributes.
fn is_plain(answer: &Value) -> bool {
    match answer {
        Value::Attribute { .. } | Value::Set(_) => false,
        Value::Array(parts) => parts.iter().all(is_plain),
        _ => true,
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

/// Writes numbers and then the sealed bytes, as the scripts do.
fn reads_what_was_written(data: &[u8]) {
    let Some((numbers, sealed)) = data.split_first_chunk::<20>() else { return };
    let number = |at: usize| u64::from(u32::from_be_bytes([0, 1, 2, 3].map(|byte| numbers[4 * at + byte])));
    let [version, written, idle, left, now] = [0, 1, 2, 3, 4].map(number);
    let now = now.max(written).max(idle);
    let bulk = |text: &[u8]| [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
    let decimal = |number: u64| bulk(number.to_string().as_bytes());
    let nil = b"$-1\r\n".to_vec();
    let refused = if version % 2 == 0 { nil.clone() } else { bulk(b"1") };
    let row = [
        b"*8\r\n".to_vec(),
        decimal(now),
        nil.clone(),
        decimal(version),
        bulk(sealed),
        refused,
        decimal(written),
        decimal(idle),
        decimal(now + left),
    ];
    let record = Record {
        version,
        sealed: sealed.to_vec(),
        refused: version % 2 == 1,
        age: Duration::from_millis(now - written),
        idle: Duration::from_millis(now - idle),
        ends_in: Duration::from_millis(left),
    };
    let row = row.concat();
    let answer = redis::parse_redis_value(&row).expect("written as Redis does");
    assert_eq!(found(answer), Ok(Found::Live(record.clone())));
    let held = [&b"*2\r\n"[..], &decimal(1), &row].concat();
    let answer = redis::parse_redis_value(&held).expect("written as Redis does");
    assert_eq!(leased(answer), Ok(Leased::Held(record, Duration::from_millis(1))));
}
