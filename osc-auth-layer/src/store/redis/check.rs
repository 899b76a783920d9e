//! Looks for what will go wrong: a server that forgets or evicts sessions, or sends no notifications.

use std::sync::Arc;

use futures_util::future::join;
use redis::FromRedisValue;

use super::link::Link;
use super::problem::Problem;
use super::scripts::Request;
use super::tracking::Tracking;
use crate::finding::{Finding, Severity, Subject};

/// Fails if the server cannot be reached. Everything else is a finding.
pub(super) async fn check(link: &Arc<Link>, tracking: &Tracking) -> Result<Vec<Finding>, Problem> {
    link.connected().await?;
    let (info, notified) = join(info(link), tracking.try_once()).await;
    let mut findings = Vec::from_iter(notifications(&notified));
    match &info {
        Ok(info) => {
            let kept = if is_on(info, "aof_enabled") { Ok(Kept::InLog) } else { snapshots(link).await };
            findings.extend([persistence(info, &kept), eviction(info)].into_iter().flatten());
        }
        Err(problem) => findings.push(denied(problem)),
    }
    Ok(findings)
}

async fn info(link: &Arc<Link>) -> Result<String, Problem> {
    read(link.try_to_ask(&Request::of(redis::cmd("INFO"))).await?)
}

/// The copy of the data on the server's disk.
#[derive(Clone, Debug, PartialEq)]
enum Kept {
    /// Every change, in the append-only file.
    InLog,
    /// A snapshot from time to time.
    Snapshots,
    Nothing,
}

async fn snapshots(link: &Arc<Link>) -> Result<Kept, Problem> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("save");
    let answer = link.try_to_ask(&Request::of(command)).await?;
    let (_, save): (String, String) = read(answer)?;
    Ok(if save.is_empty() { Kept::Nothing } else { Kept::Snapshots })
}

fn read<T: FromRedisValue>(answer: redis::Value) -> Result<T, Problem> {
    redis::from_redis_value(answer).map_err(|_| Problem::Nonsense)
}

fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn is_on(info: &str, name: &str) -> bool {
    field(info, name) == Some("1")
}

fn finding(severity: Severity, problem: impl AsRef<str>, remedy: &str) -> Finding {
    Finding::new(Subject::Store, severity, problem, remedy)
}

fn denied(problem: &Problem) -> Finding {
    let text = format!("Redis did not answer INFO ({problem}), so persistence and eviction are not known.");
    let remedy = "Look yourself: appendonly should be yes, and maxmemory-policy noeviction. Or allow the user INFO and CONFIG GET.";
    finding(Severity::Unchecked, text, remedy)
}

fn persistence(info: &str, kept: &Result<Kept, Problem>) -> Option<Finding> {
    match kept {
        Err(problem) => {
            let text = format!(
                "Redis has no append-only file, and did not answer CONFIG GET save ({problem}), so it is not known whether it keeps \
                 snapshots."
            );
            Some(finding(
                Severity::Unchecked,
                text,
                "Set appendonly yes, or make sure that a restart keeps the data.",
            ))
        }
        Ok(Kept::Nothing) => {
            let text = "Redis keeps nothing on its disk, so its restart signs everybody out.";
            Some(finding(Severity::Warning, text, "Set appendonly yes."))
        }
        Ok(Kept::InLog) if field(info, "aof_last_write_status") == Some("err") => {
            let text = "Redis failed to write its append-only file, so its restart signs users out.";
            Some(finding(Severity::Warning, text, "Check the disk of the server, and its log."))
        }
        Ok(Kept::Snapshots) if field(info, "rdb_last_bgsave_status") == Some("err") => {
            let text = "Redis failed to save its last snapshot, so its restart signs users out.";
            Some(finding(Severity::Warning, text, "Check the disk of the server, and its log."))
        }
        Ok(Kept::InLog | Kept::Snapshots) => None,
    }
}

fn eviction(info: &str) -> Option<Finding> {
    let policy = field(info, "maxmemory_policy")?;
    let is_limited = field(info, "maxmemory").is_some_and(|bytes| bytes != "0");
    if !is_limited || policy == "noeviction" {
        return None;
    }
    // Every session has an expiry, so the policies for such keys evict sessions too.
    let text = format!(
        "When its memory is full, Redis removes sessions (maxmemory-policy {policy}), and their users are signed out."
    );
    Some(finding(Severity::Warning, text, "Set maxmemory-policy noeviction, and give Redis enough memory."))
}

fn notifications(notified: &Result<(), Problem>) -> Option<Finding> {
    let problem = notified.as_ref().err()?;
    let text = format!(
        "Redis sends no notifications of changes ({problem}), so each request with a session asks it."
    );
    let remedy = match problem {
        Problem::Refused(code) if code == "NOPERM" => {
            "Allow the user CLIENT TRACKING, which +@connection contains."
        }
        Problem::Unknown => {
            "Use Redis 6.0 or later, or Valkey, without a proxy that knows no RESP3. Or leave it so."
        }
        _ => "Check what is between the app and Redis, and the load of both.",
    };
    Some(finding(Severity::Warning, text, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Memory\r\nmaxmemory:MOST\r\nmaxmemory_human:1M\r\nmaxmemory_policy:POLICY\r\n# Persistence\r\n\
                        aof_enabled:1\r\nrdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\n";

    #[test]
    fn only_a_server_that_may_evict_sessions_is_told() {
        let found =
            |most: &str, policy: &str| eviction(&INFO.replace("MOST", most).replace("POLICY", policy));
        assert_eq!(found("0", "allkeys-lru"), None, "without a limit, nothing is evicted");
        assert_eq!(found("1000", "noeviction"), None);
        for policy in ["allkeys-lru", "volatile-ttl", "volatile-lru"] {
            let problem = found("1000", policy).expect("a finding");
            assert!(problem.problem().contains(policy), "{problem}");
        }
    }

    #[test]
    fn a_server_that_keeps_nothing_or_cannot_write_is_told() {
        let severity = |info: &str, kept| persistence(info, &kept).map(|found| found.severity());
        for kept in [Kept::InLog, Kept::Snapshots] {
            assert_eq!(severity(INFO, Ok(kept)), None);
        }
        assert_eq!(severity(INFO, Ok(Kept::Nothing)), Some(Severity::Warning));
        let failing = INFO.replace("status:ok", "status:err");
        for kept in [Kept::InLog, Kept::Snapshots] {
            assert_eq!(severity(&failing, Ok(kept)), Some(Severity::Warning));
        }
        let denied = Err(Problem::Refused("NOPERM".to_owned()));
        assert_eq!(severity(INFO, denied), Some(Severity::Unchecked));
        assert!(is_on(INFO, "aof_enabled") && !is_on(INFO, "aof"));
    }
}
