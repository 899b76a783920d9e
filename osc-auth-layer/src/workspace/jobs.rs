//! Jobs: instances of a service that end when their work is done.

use serde::Serialize;

use super::answer::Doing;
use super::catalog::ServiceType;
use super::context::OscContext;
use super::error::{ContextError, ContextErrorKind};
use super::instance::Instance;

impl OscContext {
    /// Creates a job, just as [`create_instance`](Self::create_instance) creates an instance. Use
    /// [`wait_for_job`](Self::wait_for_job) to wait until it is done.
    ///
    /// # Errors
    /// - [`NotSupported`](ContextErrorKind::NotSupported): the service has no jobs.
    /// - Those of [`create_instance`](Self::create_instance).
    pub async fn create_job(
        &self,
        service_id: &str,
        name: &str,
        options: impl Serialize,
    ) -> Result<Instance, ContextError> {
        let doing = Doing::new("create").of(service_id).to(name);
        self.check_has_jobs(doing.activating()).await?;
        self.create_instance(service_id, name, options).await
    }

    /// Lists the jobs of a service. Jobs that are done are listed until they are removed.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn list_jobs(&self, service_id: &str) -> Result<Vec<Instance>, ContextError> {
        let doing = Doing::new("list the jobs").of(service_id);
        self.check_has_jobs(doing).await?;
        self.list_instances(service_id).await
    }

    /// Returns a job, or `None` if there is none of this name. Read its status with
    /// [`job_status`](super::Instance::job_status).
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call): [`NotSubscribed`](ContextErrorKind::NotSubscribed)
    /// and [`NotSupported`](ContextErrorKind::NotSupported).
    pub async fn get_job(&self, service_id: &str, name: &str) -> Result<Option<Instance>, ContextError> {
        let doing = Doing::new("look up").of(service_id).to(name);
        self.check_has_jobs(doing).await?;
        self.look(doing).await
    }

    /// Removes a job, even if it is not done.
    ///
    /// # Errors
    /// Besides [those of any call](OscContext#errors-of-any-call):
    /// [`NotSubscribed`](ContextErrorKind::NotSubscribed), [`NotSupported`](ContextErrorKind::NotSupported) and
    /// [`NotFound`](ContextErrorKind::NotFound).
    pub async fn remove_job(&self, service_id: &str, name: &str) -> Result<(), ContextError> {
        let doing = Doing::new("remove").of(service_id).to(name);
        self.check_has_jobs(doing).await?;
        self.remove_instance(service_id, name).await
    }

    async fn check_has_jobs(&self, doing: Doing<'_>) -> Result<(), ContextError> {
        let workspace = self.workspace(doing).await?;
        let subscription = self.subscribed(doing, &workspace).await?;
        if subscription.service_type == ServiceType::Job {
            return Ok(());
        }
        Err(doing.error(ContextErrorKind::NotSupported, "the service creates instances, not jobs"))
    }
}
