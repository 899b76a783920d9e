//! Jobs: instances that end when their work is done.

use serde::Serialize;

use super::answer::Doing;
use super::{ContextError, ContextErrorKind, Instance, OscInstance, OscService, Outcome, ServiceType};

/// A job of a service, by its name. A job is an instance that ends when its work is done.
///
/// Get it from [`OscService::job`]. The job need not exist yet. The handle is cheap to clone and outlives the request that it
/// came from.
///
/// ```
/// use std::time::Duration;
/// use osc_auth_layer::{ContextError, OscContext};
/// use serde_json::json;
///
/// async fn transcode(osc: &OscContext) -> Result<(), ContextError> {
///     let job = osc.service("eyevinn-ffmpeg-s3").job("mine");
///     job.create(json!({ "cmdLineArgs": "-i in.mp4 out.mp4" })).await?;
///     job.wait_until_complete(Duration::from_secs(3600), |status| println!("{status}")).await?;
///     job.remove().await
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OscJob(pub(super) OscInstance);

impl OscService {
    /// Lists the jobs of the service. Jobs that are done are listed until they are removed.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn list_jobs(&self) -> Result<Vec<Instance>, ContextError> {
        self.check_has_jobs(self.doing("list the jobs")).await?;
        self.list_instances().await
    }

    async fn check_has_jobs(&self, doing: Doing<'_>) -> Outcome<()> {
        let workspace = self.context.workspace(doing).await?;
        let subscription = self.subscribed(doing, &workspace).await?;
        if subscription.service_type == ServiceType::Job {
            return Ok(());
        }
        Err(doing.error(ContextErrorKind::NotSupported, "the service creates instances, not jobs"))
    }
}

impl OscJob {
    /// Returns the job as an instance, for example to read its [logs](OscInstance::logs).
    #[must_use]
    pub fn instance(&self) -> &OscInstance {
        &self.0
    }

    /// Creates the job, just as [`OscInstance::create`] creates an instance. Use
    /// [`wait_until_complete`](Self::wait_until_complete) to wait until it is done.
    ///
    /// # Errors
    /// - [`NotSupported`](ContextErrorKind::NotSupported): the service has no jobs.
    /// - Those of [`OscInstance::create`].
    pub async fn create(&self, options: impl Serialize) -> Result<Instance, ContextError> {
        self.0.service.check_has_jobs(self.0.doing("create").activating()).await?;
        self.0.create(options).await
    }

    /// Returns the job, or `None` if there is none of this name. Read its status with [`Instance::job_status`].
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn get(&self) -> Result<Option<Instance>, ContextError> {
        self.0.service.check_has_jobs(self.0.doing("look up")).await?;
        self.0.get().await
    }

    /// Removes the job, even if it is not done.
    ///
    /// # Errors
    /// Besides [those of any call](crate::OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotSupported`](ContextErrorKind::NotSupported) and
    /// [`NotFound`](ContextErrorKind::NotFound).
    pub async fn remove(&self) -> Result<(), ContextError> {
        self.0.service.check_has_jobs(self.0.doing("remove")).await?;
        self.0.remove().await
    }
}
