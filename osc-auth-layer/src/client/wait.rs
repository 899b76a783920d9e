//! Waiting until an instance runs or a job is done.

use std::time::Duration;

use futures_util::future::{Either, select};
use http::StatusCode;
use parking_lot::Mutex;

use super::answer::Doing;
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};
use super::instance::{Instance, InstanceHealth, InstanceRef};
use super::instances::missing;
use super::status::{InstanceStatus, JobStatus};
use crate::clock::Timestamp;

pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// For so long, the API of a new or resumed instance may refuse a good token, and not know a resumed one.
const SETTLING: Duration = Duration::from_secs(60);

/// Which failed looks a wait sits out.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    since: Timestamp,
}

impl Patience {
    /// `since`: when the wait, or what is waited for, began.
    pub(super) fn since(since: Timestamp) -> Self {
        Self { since }
    }

    /// Returns how long to wait before the next look, or `None` if the error is final.
    pub(super) fn pause(self, error: &ContextError, now: Timestamp) -> Option<Duration> {
        let is_settling = now.since(self.since) < SETTLING;
        match (error.kind(), error.status()) {
            (ContextErrorKind::Unavailable, _) => {
                Some(error.retry_after().unwrap_or_default().max(BETWEEN_LOOKS))
            }
            (ContextErrorKind::Refused, Some(StatusCode::UNAUTHORIZED)) if is_settling => Some(BETWEEN_LOOKS),
            _ => None,
        }
    }
}

/// The last answer of the wait, for the error at its end.
#[derive(Default)]
struct Seen {
    status: Option<String>,
    /// Why the latest look failed, if it did.
    problem: Option<ContextError>,
}

impl OscContext {
    /// Waits until an instance is running, looking every second. `watch` is called after each look.
    ///
    /// The wait goes on through an outage of the platform, and for the first minute while the API answers 401, as it does for
    /// new and resumed instances. [`Failed`](InstanceStatus::Failed) ends it; any other status does not. Dropping the future ends
    /// it too. Each error names the [last status](ContextError::last_status) that was seen.
    ///
    /// # Errors
    /// - [`Failed`](ContextErrorKind::Failed): its status is `failed`.
    /// - [`DeadlineExceeded`](ContextErrorKind::DeadlineExceeded): it does not run within `deadline`, counted from the call.
    /// - [`NotFound`](ContextErrorKind::NotFound): there is no such instance, or it has been removed meanwhile.
    /// - [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn wait_until_ready<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
        deadline: Duration,
        mut watch: impl FnMut(&InstanceHealth),
    ) -> Result<(), ContextError> {
        let instance = instance.into();
        let doing = Doing::new("wait for").of(service_id).to(instance.name());
        let mut known = match instance {
            InstanceRef::Known(instance) => Some(instance.clone()),
            InstanceRef::Name(_) => None,
        };
        let (seen, patience) = (Mutex::default(), Patience::since(self.now(doing)?));
        let looking = async {
            loop {
                let health = self.look_at_health(doing, service_id, instance.name(), &mut known).await;
                let looked = health.and_then(|health| {
                    let Some(health) = health else { return Ok(None) };
                    saw(&seen, health.status.as_str());
                    watch(&health);
                    match health.status {
                        InstanceStatus::Running => Ok(Some(())),
                        InstanceStatus::Failed => Err(failed(doing)),
                        _ => Ok(None),
                    }
                });
                if self.go_on(doing, patience, &seen, looked).await?.is_some() {
                    return Ok(());
                }
            }
        };
        self.until(doing, deadline, &seen, "running", looking).await
    }

    /// Waits until a job is done, looking every second, and returns it as it is then. `watch` is called after each look with
    /// the job's status. Otherwise as [`wait_until_ready`](Self::wait_until_ready).
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::{ContextError, OscContext};
    /// use serde_json::json;
    ///
    /// async fn transcode(osc: &OscContext) -> Result<(), ContextError> {
    ///     let service = "eyevinn-ffmpeg-s3";
    ///     osc.create_job(service, "mine", json!({ "cmdLineArgs": "-i in.mp4 out.mp4" })).await?;
    ///     osc.wait_for_job(service, "mine", Duration::from_secs(3600), |status| println!("{status}")).await?;
    ///     osc.remove_job(service, "mine").await
    /// }
    /// ```
    ///
    /// # Errors
    /// - [`Failed`](ContextErrorKind::Failed): its status is `Failed` or `FailureTarget`.
    /// - [`DeadlineExceeded`](ContextErrorKind::DeadlineExceeded): it is not done within `deadline`.
    /// - [`NotFound`](ContextErrorKind::NotFound): there is no such job, or it has been removed meanwhile.
    /// - [`NotSupported`](ContextErrorKind::NotSupported): the service has no jobs.
    /// - [`NotSubscribed`](ContextErrorKind::NotSubscribed).
    pub async fn wait_for_job(
        &self,
        service_id: &str,
        name: &str,
        deadline: Duration,
        mut watch: impl FnMut(&JobStatus),
    ) -> Result<Instance, ContextError> {
        let doing = Doing::new("wait for").of(service_id).to(name);
        let (seen, patience) = (Mutex::default(), Patience::since(self.now(doing)?));
        let looking = async {
            loop {
                let job = self.get_job(service_id, name).await;
                let looked = job.and_then(|job| {
                    let job = job.ok_or_else(|| missing(doing))?;
                    let Some(status) = job.job_status() else { return Ok(None) };
                    saw(&seen, status.as_str());
                    watch(&status);
                    match status {
                        _ if status.is_complete() => Ok(Some(job)),
                        _ if status.has_failed() => Err(failed(doing)),
                        _ => Ok(None),
                    }
                });
                if let Some(job) = self.go_on(doing, patience, &seen, looked).await? {
                    return Ok(job);
                }
            }
        };
        self.until(doing, deadline, &seen, "done", looking).await
    }

    /// Ends a look: with what was waited for, with an error that waiting does not mend, or after a pause.
    async fn go_on<T>(
        &self,
        doing: Doing<'_>,
        patience: Patience,
        seen: &Mutex<Seen>,
        looked: Result<Option<T>, ContextError>,
    ) -> Result<Option<T>, ContextError> {
        let pause = match looked {
            Ok(None) => BETWEEN_LOOKS,
            Ok(Some(result)) => return Ok(Some(result)),
            Err(error) => {
                let pause = patience.pause(&error, self.now(doing)?);
                let Some(pause) = pause else { return Err(error) };
                tracing::debug!(%error, "the wait goes on");
                seen.lock().problem = Some(error);
                pause
            }
        };
        self.pause(doing, pause).await?;
        Ok(None)
    }

    /// Ends a wait at its deadline, and adds the last status to its error.
    async fn until<T>(
        &self,
        doing: Doing<'_>,
        deadline: Duration,
        seen: &Mutex<Seen>,
        goal: &str,
        looking: impl Future<Output = Result<T, ContextError>>,
    ) -> Result<T, ContextError> {
        let looking = std::pin::pin!(looking);
        let late = std::pin::pin!(self.sleep(doing, deadline));
        let ended = match select(looking, late).await {
            Either::Left((ended, _)) => ended,
            Either::Right((Err(error), _)) => Err(error),
            Either::Right((Ok(()), _)) => Err(too_late(doing, goal, &seen.lock())),
        };
        ended.map_err(|error| error.after_status(seen.lock().status.clone()))
    }

    /// Returns the health, or `None` if it is not there yet. `known`: the instance, unless it has to be looked up.
    async fn look_at_health(
        &self,
        doing: Doing<'_>,
        service_id: &str,
        name: &str,
        known: &mut Option<Instance>,
    ) -> Result<Option<InstanceHealth>, ContextError> {
        let instance = match known {
            Some(instance) => instance,
            None => known.insert(self.find_again(doing, service_id, name).await?),
        };
        match self.instance_health(service_id, &*instance).await {
            Ok(health) => Ok(Some(health)),
            // It may turn up later than the instance itself; or the instance has been removed.
            Err(error) if error.kind() == ContextErrorKind::NotFound => {
                *known = None;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Looks an instance up that is expected to be there. One that was resumed a moment ago may be missing still.
    async fn find_again(
        &self,
        doing: Doing<'_>,
        service_id: &str,
        name: &str,
    ) -> Result<Instance, ContextError> {
        if let Some(instance) = self.look(doing, service_id, name).await? {
            return Ok(instance);
        }
        let resumed_at = self.workspace(doing).await?.starts.lock().resumed_at(service_id, name);
        let now = self.now(doing)?;
        if resumed_at.is_some_and(|at| now.since(at) < SETTLING) {
            return Err(doing
                .error(ContextErrorKind::Unavailable, "it was resumed a moment ago and is not there yet"));
        }
        Err(missing(doing))
    }

    /// Sleeps, unless the session ends meanwhile.
    pub(super) async fn pause(&self, doing: Doing<'_>, pause: Duration) -> Result<(), ContextError> {
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

/// Keeps only a plain word: a status may be anything the platform says, a token too.
fn saw(seen: &Mutex<Seen>, status: &str) {
    let is_word =
        status.len() <= 20 && status.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, ' ' | '-' | '_'));
    *seen.lock() = Seen { status: is_word.then(|| status.to_owned()), problem: None };
}

fn failed(doing: Doing<'_>) -> ContextError {
    doing.error(ContextErrorKind::Failed, "it has failed, and waiting does not change that")
}

fn too_late(doing: Doing<'_>, goal: &str, seen: &Seen) -> ContextError {
    let status = seen.status.as_deref().unwrap_or("unknown");
    let mut why = format!("it is not {goal} by the deadline, its status is {status}");
    if let Some(problem) = &seen.problem {
        why.push_str(&format!("; the latest look failed: {}", problem.why()));
    }
    ContextError::new(ContextErrorKind::DeadlineExceeded, doing, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_sat_out_and_a_401_only_for_a_minute() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let patience = Patience::since(at(1000));
        let doing = Doing::new("wait for");
        let unavailable = doing.error(ContextErrorKind::Unavailable, "x");
        let later = unavailable.clone().retry_in(Some(Duration::from_secs(17)));
        let refused = |status: u16| {
            let error = doing.error(ContextErrorKind::Refused, "x");
            error.answered(StatusCode::from_u16(status).unwrap(), None)
        };
        let pause =
            |error: &ContextError, seconds| patience.pause(error, at(seconds)).map(|pause| pause.as_secs());
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
