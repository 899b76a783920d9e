//! Asks the session store.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::finding::{Finding, Severity, Subject};
use crate::redact::with_causes;
use crate::secret::random_token;
use crate::sessions::Sessions;
use crate::store::{Backing, RecordName, StoreError, Swap, Swapped, Version};

/// How long the entry of the round trip stays if it cannot be deleted.
const LIFETIME: Duration = Duration::from_secs(60);
/// The longest time for the whole round trip.
const TRIP_LIMIT: Duration = Duration::from_secs(6);

pub(super) async fn check(sessions: &Arc<Sessions>) -> Vec<Finding> {
    let Some(backing) = &sessions.backing else { return Vec::new() };
    let own = backing.check().await;
    let limit = sessions.clock.sleep(TRIP_LIMIT);
    let trip = match select(Box::pin(round_trip(backing)), limit).await {
        Either::Left((trip, _)) => trip,
        Either::Right(_) => {
            Err(StoreError::new("it is too slow: eight operations took more than six seconds"))
        }
    };
    judge(own, trip)
}

/// The promise that a store broke.
type Broken = &'static str;

/// Writes an entry under a random key, reads it, and removes it again.
async fn round_trip(backing: &Backing) -> Result<Result<(), Broken>, StoreError> {
    let random = random_token::<32>();
    let name = RecordName::once(&["preflight", &random]);
    let group = RecordName::once(&["group of a preflight", &random]).text();
    let (first, second) = (Version::random(), Version::random());
    let swap = |expected, version| {
        let (value, expires_in) = (b"preflight".as_slice(), Some(LIFETIME));
        Swap { expected, version, value, expires_in, group: Some(&*group) }
    };
    if !matches!(backing.swap(&name, swap(None, first)).await?, Swapped::Done { .. }) {
        return Ok(Err("found an entry under a random key"));
    }
    backing.touch(&name, first, LIFETIME).await?;
    if !matches!(backing.swap(&name, swap(Some(first), second)).await?, Swapped::Done { .. }) {
        return Ok(Err("refused to replace the version that it holds"));
    }
    let held = backing.get(&name).await?.entry;
    if !held.is_some_and(|entry| entry.version == second && entry.value == b"preflight") {
        return Ok(Err("did not return what was written"));
    }
    if !backing.members(&group).await?.contains(&name) {
        return Ok(Err("did not list a new entry in its group"));
    }
    backing.remove(&name).await?;
    if backing.get(&name).await?.entry.is_some() {
        return Ok(Err("returned an entry after its removal"));
    }
    Ok(Ok(()))
}

/// An error of the store's own check says more than the operation that failed for it.
fn judge(
    own: Result<Vec<Finding>, StoreError>,
    trip: Result<Result<(), Broken>, StoreError>,
) -> Vec<Finding> {
    let is_explained =
        |findings: &[Finding]| findings.iter().any(|found| found.severity() == Severity::Error);
    let (mut findings, failure) = match own {
        Ok(findings) => (findings, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    match (trip, failure) {
        (Err(error), _) | (Ok(Ok(())), Some(error)) if !is_explained(&findings) => {
            let cause = error.source().map_or_else(|| error.to_string(), with_causes);
            let problem = format!("The session store cannot be used ({cause}).");
            findings.push(found(&problem, "Check SESSION_STORE, and the server or file behind it."));
        }
        (Ok(Err(broken)), _) => {
            let problem = format!("The session store {broken}.");
            findings.push(found(&problem, "Test it with test_util::store_contract."));
        }
        _ => {}
    }
    findings
}

fn found(problem: &str, remedy: &str) -> Finding {
    Finding::new(Subject::Store, Severity::Error, problem, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_is_one_finding() {
        let error = || StoreError::new("it is down");
        let own = |severity| vec![Finding::new(Subject::Store, severity, "It has no table.", "Make it.")];
        assert_eq!(judge(Ok(vec![]), Ok(Ok(()))), []);
        assert_eq!(judge(Ok(own(Severity::Warning)), Ok(Ok(()))), own(Severity::Warning));
        assert_eq!(judge(Ok(own(Severity::Error)), Err(error())), own(Severity::Error));
        for (own, trip) in
            [(Err(error()), Err(error())), (Ok(vec![]), Err(error())), (Err(error()), Ok(Ok(())))]
        {
            let findings = judge(own, trip);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert!(findings[0].problem().contains("it is down"), "{findings:?}");
        }
        assert_eq!(judge(Ok(own(Severity::Warning)), Err(error())).len(), 2);
        assert_eq!(judge(Ok(vec![]), Ok(Err("forgot it")))[0].problem(), "The session store forgot it.");
    }
}
