//! Waits until an instance runs or a job is done.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::StatusCode;
use parking_lot::Mutex;

use super::answer::Doing;
use super::instance::missing;
use super::{
    ContextError, ContextErrorKind, Instance, InstanceHealth, InstanceStatus, JobStatus, OscContext,
    OscInstance, OscJob, Outcome,
};
use crate::clock::Timestamp;

pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How long the API of a new or resumed instance may refuse a good token, or not know a resumed instance.
const SETTLING: Duration = Duration::from_secs(60);

/// Returns how long a wait pauses after an error, or `None` if the error is final. `since` is when the wait or the create began.
pub(super) fn pause_after(error: &ContextError, since: Timestamp, now: Timestamp) -> Option<Duration> {
    let is_settling = now.since(since) < SETTLING;
    match (error.kind(), error.status()) {
        (ContextErrorKind::Unavailable, _) => {
            Some(error.retry_after().unwrap_or_default().max(BETWEEN_LOOKS))
        }
        (ContextErrorKind::Refused, Some(StatusCode::UNAUTHORIZED)) if is_settling => Some(BETWEEN_LOOKS),
        _ => None,
    }
}

/// The last answer that a wait saw, for its error.
#[derive(Default)]
struct Seen {
    status: Option<String>,
    /// The error of the latest look, if it failed.
    problem: Option<ContextError>,
}

impl OscInstance {
    /// Waits until the instance is running. Looks every second and calls `watch` with each answer.
    ///
    /// The wait goes on through an outage of the platform. During the first minute it also goes on while the API answers 401, as
    /// it does for new and resumed instances. Of all statuses, only `running` and [`failed`](InstanceStatus::Failed) end
    /// it. Dropping the future ends it too. Every error has the [last status](ContextError::last_status) that was seen.
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::{ContextError, OscContext};
    ///
    /// async fn watch(osc: &OscContext) -> Result<(), ContextError> {
    ///     let store = osc.service("minio-minio").instance("store");
    ///     store.wait_until_ready(Duration::from_secs(300), |health| println!("{}", health.status)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// - [`Failed`](ContextErrorKind::Failed): the status is `failed`.
    /// - [`TimedOut`](ContextErrorKind::TimedOut): it does not run within `timeout`, counted from the call.
    /// - [`NotFound`](ContextErrorKind::NotFound): there is no such instance, or it was removed meanwhile.
    /// - [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn wait_until_ready(
        &self,
        timeout: Duration,
        mut watch: impl FnMut(&InstanceHealth),
    ) -> Result<(), ContextError> {
        let doing = self.doing("wait for");
        let known = Mutex::new(self.links.is_some().then(|| self.clone()));
        let seen = Mutex::default();
        let look = || self.look_at_health(doing, &known);
        let judge = |health: Option<InstanceHealth>| {
            let Some(health) = health else { return Ok(None) };
            saw(&seen, health.status.as_str());
            watch(&health);
            match health.status {
                InstanceStatus::Running => Ok(Some(())),
                InstanceStatus::Failed => Err(failed(doing)),
                _ => Ok(None),
            }
        };
        self.service.context.look_until(doing, timeout, "running", &seen, look, judge).await
    }

    /// Returns the health, or `None` if there is none yet. `known` caches the handle with its links, so that the instance is
    /// looked up once.
    async fn look_at_health(
        &self,
        doing: Doing<'_>,
        known: &Mutex<Option<OscInstance>>,
    ) -> Outcome<Option<InstanceHealth>> {
        let cached = known.lock().take();
        let instance = match cached {
            Some(instance) => instance,
            None => self.service.known_instance(&self.find_again(doing).await?),
        };
        let health = instance.health().await;
        // The health may turn up later than the instance, or the instance was removed. The next look will tell.
        if health.as_ref().is_err_and(|error| error.kind() == ContextErrorKind::NotFound) {
            return Ok(None);
        }
        *known.lock() = Some(instance);
        health.map(Some)
    }

    /// Looks up an instance that should exist. An instance that was resumed a moment ago may still be missing.
    async fn find_again(&self, doing: Doing<'_>) -> Outcome<Instance> {
        if let Some(instance) = self.look(doing).await? {
            return Ok(instance);
        }
        let workspace = self.service.context.workspace(doing).await?;
        let resumed_at = workspace.starts.lock().resumed_at(&doing.key());
        let now = self.service.context.now(doing)?;
        if resumed_at.is_some_and(|at| now.since(at) < SETTLING) {
            let why = "it was resumed a moment ago and is not available yet";
            return Err(doing.error(ContextErrorKind::Unavailable, why));
        }
        Err(missing(doing))
    }
}

impl OscJob {
    /// Waits until the job has succeeded, and returns it. Looks every second and calls `watch` with each status. Otherwise it
    /// works like [`OscInstance::wait_until_ready`].
    ///
    /// # Errors
    /// - [`Failed`](ContextErrorKind::Failed): the status is `Failed` or `FailureTarget`.
    /// - [`TimedOut`](ContextErrorKind::TimedOut): it is not done within `timeout`.
    /// - [`NotFound`](ContextErrorKind::NotFound): there is no such job, or it was removed meanwhile.
    /// - [`NotSupported`](ContextErrorKind::NotSupported): the service has no jobs.
    /// - [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn wait_until_complete(
        &self,
        timeout: Duration,
        mut watch: impl FnMut(&JobStatus),
    ) -> Result<Instance, ContextError> {
        let doing = self.0.doing("wait for");
        let seen = Mutex::default();
        let judge = |job: Option<Instance>| {
            let job = job.ok_or_else(|| missing(doing))?;
            let Some(status) = job.job_status() else { return Ok(None) };
            saw(&seen, status.as_str());
            watch(&status);
            match status {
                _ if status.is_complete() => Ok(Some(job)),
                _ if status.has_failed() => Err(failed(doing)),
                _ => Ok(None),
            }
        };
        self.0.service.context.look_until(doing, timeout, "done", &seen, || self.get(), judge).await
    }
}

impl OscContext {
    /// Looks until there is a result, a final error, or the time is over. Adds the last status to the error.
    async fn look_until<L, T, F: Future<Output = Outcome<L>>>(
        &self,
        doing: Doing<'_>,
        timeout: Duration,
        goal: &str,
        seen: &Mutex<Seen>,
        look: impl Fn() -> F,
        mut judge: impl FnMut(L) -> Outcome<Option<T>>,
    ) -> Outcome<T> {
        let since = self.now(doing)?;
        let looking = async {
            loop {
                let pause = match look().await.and_then(&mut judge) {
                    Ok(Some(result)) => return Ok(result),
                    Ok(None) => BETWEEN_LOOKS,
                    Err(error) => {
                        let pause = pause_after(&error, since, self.now(doing)?);
                        let Some(pause) = pause else { return Err(error) };
                        tracing::debug!(%error, "a check failed, and the wait continues");
                        seen.lock().problem = Some(error);
                        pause
                    }
                };
                self.pause(doing, pause).await?;
            }
        };
        let ended = self.within(doing, timeout, looking).await;
        let seen = seen.lock();
        let ended = ended.and_then(|result| result.ok_or_else(|| too_late(doing, goal, &seen)));
        ended.map_err(|error| error.after_status(seen.status.clone()))
    }

    /// Returns the result of `work`, or `None` if it takes longer than `timeout`.
    pub(super) async fn within<T>(
        &self,
        doing: Doing<'_>,
        timeout: Duration,
        work: impl Future<Output = Outcome<T>>,
    ) -> Outcome<Option<T>> {
        match select(pin!(work), pin!(self.sleep(doing, timeout))).await {
            Either::Left((done, _)) => done.map(Some),
            Either::Right((late, _)) => late.map(|()| None),
        }
    }

    /// Sleeps. Fails early if the session ends meanwhile.
    pub(super) async fn pause(&self, doing: Doing<'_>, pause: Duration) -> Outcome<()> {
        let mut left = pause;
        while !left.is_zero() {
            let step = left.min(BETWEEN_LOOKS);
            self.sleep(doing, step).await?;
            match self.workspace(doing).await {
                Err(error) if error.kind() == ContextErrorKind::SessionEnded => return Err(error),
                _ => left -= step,
            }
        }
        Ok(())
    }
}

/// Notes a status for the error at the end. Keeps only a plain word, because the platform could send anything, even a token.
fn saw(seen: &Mutex<Seen>, status: &str) {
    let is_word =
        status.len() <= 20 && status.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, ' ' | '-' | '_'));
    *seen.lock() = Seen { status: is_word.then(|| status.to_owned()), problem: None };
}

fn failed(doing: Doing<'_>) -> ContextError {
    doing.error(ContextErrorKind::Failed, "it has failed; waiting longer does not help")
}

fn too_late(doing: Doing<'_>, goal: &str, seen: &Seen) -> ContextError {
    let status = seen.status.as_deref().unwrap_or("unknown");
    let mut why = format!("it was not {goal} in time; its last status was {status}");
    if let Some(problem) = &seen.problem {
        why.push_str(&format!("; the last check failed: {}", problem.why()));
    }
    ContextError::new(ContextErrorKind::TimedOut, doing, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_tolerates_outages_and_a_minute_of_401() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let doing = Doing::new("wait for");
        let unavailable = doing.error(ContextErrorKind::Unavailable, "x");
        let later = unavailable.clone().retry_in(Some(Duration::from_secs(17)));
        let refused = |status: u16| {
            let error = doing.error(ContextErrorKind::Refused, "x");
            error.answered(StatusCode::from_u16(status).unwrap(), None)
        };
        let pause = |error: &ContextError, seconds| {
            pause_after(error, at(1000), at(seconds)).map(|pause| pause.as_secs())
        };
        assert_eq!((pause(&unavailable, 1000), pause(&unavailable, 9999)), (Some(1), Some(1)));
        assert_eq!(pause(&later, 1000), Some(17));
        assert_eq!((pause(&refused(401), 1059), pause(&refused(401), 1060)), (Some(1), None));
        assert_eq!(pause(&refused(403), 1000), None);
        for kind in
            [ContextErrorKind::NotFound, ContextErrorKind::SessionEnded, ContextErrorKind::InvalidToken]
        {
            assert_eq!(pause(&doing.error(kind, "x"), 1000), None, "{kind:?}");
        }
    }
}
