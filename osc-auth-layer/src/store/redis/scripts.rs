//! The scripts that Redis runs, and their answers. Each script changes one key, as a whole or not at all.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, Script, ServerErrorKind, ToRedisArgs, Value};

use super::problem::Problem;
use crate::store::{Entry, Found, Swapped, Version};

/// A script, and the hash by which Redis knows it after it was loaded.
pub(super) struct Lua {
    text: &'static str,
    hash: String,
}

macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| {
            let text = concat!($(include_str!($file)),+);
            Lua { text, hash: Script::new(text).get_hash().to_owned() }
        })
    };
}

pub(super) static GET: LazyLock<Lua> = script!("prelude.lua", "get.lua");
pub(super) static SWAP: LazyLock<Lua> = script!("prelude.lua", "swap.lua");
pub(super) static TOUCH: LazyLock<Lua> = script!("prelude.lua", "touch.lua");
pub(super) static DELETE: LazyLock<Lua> = script!("prelude.lua", "delete.lua");
pub(super) static MEMBERS: LazyLock<Lua> = script!("members.lua");

/// A thousand years: sums of it stay within the integers that Lua's numbers hold exactly.
const LONGEST_MILLIS: u64 = 1000 * 365 * 24 * 60 * 60 * 1000;

/// One operation, ready to be sent.
pub(super) struct Request {
    command: Cmd,
    script: Option<&'static Lua>,
}

impl Request {
    pub(super) fn call(script: &'static Lua, key: &str) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&script.hash).arg(1).arg(key);
        Self { command, script: Some(script) }
    }

    pub(super) fn of(command: Cmd) -> Self {
        Self { command, script: None }
    }

    /// Writes an empty key that soon expires.
    pub(super) fn mark(key: &str, lifetime_millis: u64) -> Self {
        Self { command: redis::cmd("SET"), script: None }.arg(key).arg("").arg("PX").arg(lifetime_millis)
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sends the request. If the server does not know the script, as after its start, loads it and sends the request again.
    pub(super) async fn send(&self, connection: &mut MultiplexedConnection) -> Result<Value, Problem> {
        match (self.command.query_async(connection).await, self.script) {
            (Err(error), Some(script)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let mut both = redis::pipe();
                both.cmd("SCRIPT").arg("LOAD").arg(script.text).ignore().add_command(self.command.clone());
                let (answer,) = both.query_async(connection).await?;
                Ok(answer)
            }
            (answer, _) => Ok(answer?),
        }
    }
}

/// Returns the milliseconds for an argument. Never returns 0, which Redis refuses as a time to live.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST_MILLIS)
}

/// Parses an answer. Drops the library's own error, because it quotes the answer, which may contain anything.
fn parse<T: FromRedisValue>(answer: Value) -> Result<T, Problem> {
    redis::from_redis_value(answer).map_err(|_| Problem::Nonsense)
}

fn time(millis: u64) -> Result<SystemTime, Problem> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).ok_or(Problem::Nonsense)
}

/// Reads what `found()` in `prelude.lua` returns.
pub(crate) fn found(answer: Value) -> Result<Found, Problem> {
    let (now, version, value, left): (u64, Option<[u8; 16]>, Option<Vec<u8>>, i64) = parse(answer)?;
    let entry = match (version, value) {
        (Some(version), Some(value)) => {
            // A negative number says that there is no expiry.
            let left = u64::try_from(left).map_err(|_| Problem::Nonsense)?;
            let expires_at = time(now.saturating_add(left))?;
            Some(Entry { version: Version::from_bytes(version), value, expires_at })
        }
        (None, None) => None,
        _ => return Err(Problem::Nonsense),
    };
    Ok(Found { entry, now: time(now)? })
}

/// Reads what `swap.lua` returns.
pub(crate) fn swapped(answer: Value) -> Result<Swapped, Problem> {
    match &answer {
        Value::Array(parts) if parts.len() == 1 => {
            let (now,): (u64,) = parse(answer)?;
            Ok(Swapped::Done { now: time(now)? })
        }
        _ => Ok(Swapped::Conflict(found(answer)?)),
    }
}

/// Reads what `members.lua` returns. `prefix` precedes the keys.
pub(super) fn members(answer: Value, prefix: &str) -> Result<Vec<String>, Problem> {
    let keys: Vec<String> = parse(answer)?;
    keys.iter().map(|key| key.strip_prefix(prefix).map(str::to_owned).ok_or(Problem::Nonsense)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.into())
    }

    fn row(version: Value, value: Value, left: i64) -> Value {
        Value::Array(vec![bulk(b"1700000005000"), version, value, Value::Int(left)])
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_005)
    }

    #[test]
    fn an_entry_expires_by_the_servers_time() {
        let entry = Entry {
            version: Version::from_bytes([7; 16]),
            value: vec![0, 255, 13, 10],
            expires_at: now() + Duration::from_secs(60),
        };
        let answer = row(bulk(&[7; 16]), bulk(&[0, 255, 13, 10]), 60_000);
        let expected = Found { entry: Some(entry), now: now() };
        assert_eq!(found(answer.clone()), Ok(expected.clone()));
        assert_eq!(swapped(answer), Ok(Swapped::Conflict(expected)));
    }

    #[test]
    fn a_key_without_fields_is_absent() {
        let answer = row(Value::Nil, Value::Nil, -2);
        assert_eq!(found(answer.clone()), Ok(Found { entry: None, now: now() }));
        assert_eq!(swapped(answer), Ok(Swapped::Conflict(Found { entry: None, now: now() })));
        assert_eq!(swapped(Value::Array(vec![bulk(b"1700000005000")])), Ok(Swapped::Done { now: now() }));
    }

    #[test]
    fn other_answers_are_nonsense() {
        let (version, value) = (bulk(&[7; 16]), bulk(b"value"));
        for answer in [
            Value::Nil,
            Value::Okay,
            bulk(b"x"),
            Value::Array(vec![]),
            row(version.clone(), Value::Nil, 1),
            row(Value::Nil, value.clone(), 1),
            row(bulk(b"short"), value.clone(), 1),
            row(version, value, -1),
        ] {
            assert_eq!(found(answer.clone()), Err(Problem::Nonsense));
            assert_eq!(swapped(answer), Err(Problem::Nonsense));
        }
    }

    #[test]
    fn durations_stay_within_the_limits_of_redis() {
        assert_eq!(millis(Duration::ZERO), 1);
        assert_eq!(millis(Duration::from_millis(1500)), 1500);
        assert_eq!(millis(Duration::MAX), LONGEST_MILLIS);
    }
}
