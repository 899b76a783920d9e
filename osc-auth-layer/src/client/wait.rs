//! Waiting for an instance to run.

use std::time::Duration;

use futures_util::future::{Either, select};
use parking_lot::Mutex;

use super::answer::Doing;
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};
use super::instance::{InstanceHealth, InstanceRef};
use super::instances::missing;

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

impl OscContext {
    /// Waits until an instance is running, looking every second, also through an outage. `watch` is told of each look.
    /// Dropping the future ends the wait. No other status does, `failed` neither: what OSC calls them is not documented.
    ///
    /// # Errors
    /// [`DeadlineExceeded`](ContextErrorKind::DeadlineExceeded) when that takes longer than `deadline`;
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed); [`NotFound`](ContextErrorKind::NotFound) when it has been
    /// removed meanwhile.
    pub async fn wait_until_ready<'a>(
        &self,
        service_id: &str,
        instance: impl Into<InstanceRef<'a>>,
        deadline: Duration,
        mut watch: impl FnMut(&InstanceHealth),
    ) -> Result<(), ContextError> {
        let instance = instance.into();
        let doing = Doing::new("wait for").of(service_id).to(instance.name());
        let last = Mutex::new(None);
        let watch = |health: &InstanceHealth| {
            *last.lock() = Some(health.status.clone());
            watch(health);
        };
        let ready = std::pin::pin!(self.look_until_ready(doing, service_id, instance, watch));
        let late = std::pin::pin!(self.sleep(doing, deadline));
        match select(ready, late).await {
            Either::Left((ready, _)) => ready,
            Either::Right((Ok(()), _)) => {
                // Only a plain word is repeated: a status may be anything the platform says, a token too.
                let status = last.lock().take().filter(|status| is_word(status));
                let status = status.unwrap_or_else(|| "unknown".to_owned());
                let why = format!("it is not running by the deadline, its status is {status}");
                Err(ContextError::new(ContextErrorKind::DeadlineExceeded, doing, why))
            }
            Either::Right((Err(error), _)) => Err(error),
        }
    }

    async fn look_until_ready(
        &self,
        doing: Doing<'_>,
        service_id: &str,
        instance: InstanceRef<'_>,
        mut watch: impl FnMut(&InstanceHealth),
    ) -> Result<(), ContextError> {
        let name = instance.name();
        let mut known = match instance {
            InstanceRef::Known(instance) => Some(instance.clone()),
            InstanceRef::Name(_) => None,
        };
        loop {
            let looked = match &known {
                Some(instance) => self.instance_health(service_id, instance).await.map(Some),
                None => {
                    let found = self.look(doing, service_id, name).await;
                    found.and_then(|found| {
                        known = Some(found.ok_or_else(|| missing(doing))?);
                        Ok(None)
                    })
                }
            };
            let pause = match looked {
                Ok(None) => continue,
                Ok(Some(health)) => {
                    watch(&health);
                    if health.is_running() {
                        return Ok(());
                    }
                    BETWEEN_LOOKS
                }
                // Its health may turn up later than the instance itself; or it has been removed.
                Err(error) if error.kind() == ContextErrorKind::NotFound && known.take().is_some() => {
                    BETWEEN_LOOKS
                }
                Err(error) if error.kind() == ContextErrorKind::Unavailable => {
                    tracing::debug!(%error, "waiting on");
                    error.retry_after().unwrap_or_default().max(BETWEEN_LOOKS)
                }
                Err(error) => return Err(error),
            };
            self.pause(doing, pause).await?;
        }
    }

    /// Sleeps, unless the session ends meanwhile.
    async fn pause(&self, doing: Doing<'_>, pause: Duration) -> Result<(), ContextError> {
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

fn is_word(status: &str) -> bool {
    status.len() <= 20 && status.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, ' ' | '-' | '_'))
}
