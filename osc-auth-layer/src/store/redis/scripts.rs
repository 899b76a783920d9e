//! The operations as Redis sees them: what is sent, and what the answer means.
//!
//! Each changes one key by one script, so it happens as a whole or not at all.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, Script, ServerErrorKind, ToRedisArgs, Value};

use super::problem::Problem;
use crate::store::{Ending, Found, Leased, Record, Replaced};

/// A script, and the name that Redis knows it by once it was loaded.
pub(super) struct Lua {
    text: &'static str,
    hash: String,
}

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| {
            let text = concat!(include_str!("found.lua"), include_str!($file));
            Lua { text, hash: Script::new(text).get_hash().to_owned() }
        })
    };
}

pub(super) static CREATE: LazyLock<Lua> = script!("create.lua");
pub(super) static READ: LazyLock<Lua> = script!("read.lua");
pub(super) static REPLACE: LazyLock<Lua> = script!("replace.lua");
pub(super) static REFUSE: LazyLock<Lua> = script!("refuse.lua");
pub(super) static TOUCH: LazyLock<Lua> = script!("touch.lua");
pub(super) static END: LazyLock<Lua> = script!("end.lua");
pub(super) static LEASE: LazyLock<Lua> = script!("lease.lua");
pub(super) static RELEASE: LazyLock<Lua> = script!("release.lua");

const SIGNED_OUT: &str = "signed-out";
const REPLACED: &str = "replaced";

/// A thousand years: sums of it stay within the integers that Lua's numbers hold exactly.
const LONGEST_MILLIS: u64 = 1000 * 365 * 24 * 60 * 60 * 1000;

/// One operation, ready to be sent.
pub(super) struct Request {
    command: Cmd,
    script: Option<&'static Lua>,
    /// Whether it may be sent again when its answer was lost.
    pub(super) is_repeatable: bool,
}

impl Request {
    pub(super) fn call(script: &'static Lua, key: &str) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&script.hash).arg(1).arg(key);
        Self { command, script: Some(script), is_repeatable: false }
    }

    pub(super) fn plain(command: &'static str, key: &str) -> Self {
        let mut plain = redis::cmd(command);
        plain.arg(key);
        Self { command: plain, script: None, is_repeatable: false }
    }

    pub(super) fn time() -> Self {
        Self { command: redis::cmd("TIME"), script: None, is_repeatable: false }
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }

    pub(super) fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// The first call of a script after the server's start finds that it does not know it.
    pub(super) async fn send(&self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        let answer = self.command.query_async(connection).await;
        match (self.script, &answer) {
            (Some(script), Err(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let mut both = redis::pipe();
                both.cmd("SCRIPT").arg("LOAD").arg(script.text).ignore().add_command(self.command.clone());
                let (answer,) = both.query_async(connection).await?;
                Ok(answer)
            }
            _ => answer,
        }
    }
}

/// For an argument: never 0, which Redis refuses as a time to live.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST_MILLIS)
}

pub(super) fn mark(ending: Ending) -> &'static str {
    match ending {
        Ending::SignedOut => SIGNED_OUT,
        Ending::Replaced => REPLACED,
    }
}

/// In the order of `found.lua`.
type Row = (
    u64,
    Option<String>,
    Option<u64>,
    Option<Vec<u8>>,
    Option<String>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
);

/// The library's own errors quote the answer, which may hold anything: none of them is passed on.
pub(super) fn parse<T: FromRedisValue>(answer: Value) -> Result<T, Problem> {
    redis::from_redis_value(answer).map_err(|_| Problem::Nonsense)
}

pub(crate) fn time(answer: Value) -> Result<SystemTime, Problem> {
    let (seconds, micros): (u64, u64) = parse(answer)?;
    let since_epoch = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
    UNIX_EPOCH.checked_add(since_epoch).ok_or(Problem::Nonsense)
}

pub(crate) fn found(answer: Value) -> Result<Found, Problem> {
    let (now, ended, version, sealed, refused, written, touched, ends): Row = parse(answer)?;
    let span = |from: u64, to: u64| Duration::from_millis(to.saturating_sub(from));
    match (ended.as_deref(), version, sealed, written, touched, ends) {
        (None, Some(version), Some(sealed), Some(written), Some(touched), Some(ends)) => {
            Ok(Found::Live(Record {
                version,
                sealed,
                refused: refused.is_some(),
                age: span(written, now),
                idle: span(touched, now),
                ends_in: span(now, ends),
            }))
        }
        (Some(SIGNED_OUT), ..) => Ok(Found::Ended(Ending::SignedOut)),
        (Some(REPLACED), ..) => Ok(Found::Ended(Ending::Replaced)),
        (None, None, ..) => Ok(Found::Absent),
        _ => Err(Problem::Nonsense),
    }
}

pub(crate) fn replaced(answer: Value) -> Result<Replaced, Problem> {
    if answer == Value::Nil {
        return Ok(Replaced::Done);
    }
    Ok(match found(answer)? {
        Found::Live(record) => Replaced::Conflict(record),
        Found::Ended(ending) => Replaced::Ended(ending),
        Found::Absent => Replaced::Absent,
    })
}

pub(crate) fn leased(answer: Value) -> Result<Leased, Problem> {
    let (held, row): (Option<u64>, Value) = parse(answer)?;
    Ok(match (found(row)?, held) {
        (Found::Live(record), None) => Leased::Granted(record),
        (Found::Live(record), Some(0)) => Leased::Inherited(record),
        (Found::Live(record), Some(left)) => Leased::Held(record, Duration::from_millis(left)),
        (Found::Ended(ending), _) => Leased::Ended(ending),
        (Found::Absent, _) => Leased::Absent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn live() -> Value {
        let mut row = vec![bulk("1700000005000"), Value::Nil, bulk("18446744073709551615")];
        row.extend([Value::BulkString(vec![0, 255, 13, 10]), bulk("1"), bulk("1700000002000")]);
        row.extend([bulk("1700000004000"), bulk("1700000065000")]);
        Value::Array(row)
    }

    fn row(ended: Value) -> Value {
        let mut row = vec![bulk("1700000005000"), ended];
        row.resize(8, Value::Nil);
        Value::Array(row)
    }

    #[test]
    fn a_row_is_a_record_with_spans_by_the_servers_time() {
        let record = Record {
            version: u64::MAX,
            sealed: vec![0, 255, 13, 10],
            refused: true,
            age: Duration::from_secs(3),
            idle: Duration::from_secs(1),
            ends_in: Duration::from_secs(60),
        };
        assert_eq!(found(live()), Ok(Found::Live(record.clone())));
        assert_eq!(replaced(live()), Ok(Replaced::Conflict(record.clone())));
        let held = |left| Value::Array(vec![left, live()]);
        assert_eq!(leased(held(Value::Nil)), Ok(Leased::Granted(record.clone())));
        assert_eq!(leased(held(bulk("0"))), Ok(Leased::Inherited(record.clone())));
        assert_eq!(leased(held(bulk("250"))), Ok(Leased::Held(record, Duration::from_millis(250))));
    }

    #[test]
    fn a_row_without_a_version_is_a_mark_or_nothing() {
        assert_eq!(found(row(Value::Nil)), Ok(Found::Absent));
        for ending in [Ending::SignedOut, Ending::Replaced] {
            assert_eq!(found(row(bulk(mark(ending)))), Ok(Found::Ended(ending)));
        }
        assert_eq!(replaced(Value::Nil), Ok(Replaced::Done));
    }

    #[test]
    fn what_no_script_of_ours_answers_is_nonsense() {
        for answer in
            [Value::Nil, Value::Okay, bulk("x"), Value::Array(vec![]), row(bulk("by a later version"))]
        {
            assert_eq!(found(answer), Err(Problem::Nonsense));
        }
        let Value::Array(mut fields) = live() else { unreachable!() };
        fields[3] = Value::Nil;
        assert_eq!(found(Value::Array(fields)), Err(Problem::Nonsense));
    }

    #[test]
    fn durations_stay_within_what_redis_takes() {
        assert_eq!(millis(Duration::ZERO), 1);
        assert_eq!(millis(Duration::from_millis(1500)), 1500);
        assert_eq!(millis(Duration::MAX), LONGEST_MILLIS);
    }
}
