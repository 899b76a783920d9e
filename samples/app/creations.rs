//! Instances on their way: made and waited for by a task of their own, which outlives the request that began it and the
//! access token that came with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use osc_auth_layer::{ContextError, OscContext};
use serde_json::Value;
use tokio::sync::oneshot;

const LONGEST: Duration = Duration::from_secs(10 * 60);
const FAILURES_ARE_TOLD_FOR: Duration = Duration::from_secs(10 * 60);

/// How far an instance has come.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// With the platform's word for it.
    Starting(String),
    Running,
    Failed(String),
}

/// Session, service and name.
type Key = (String, String, String);

/// Those under way in this process, and those that failed lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct Creations(Arc<Mutex<HashMap<Key, Progress>>>);

impl Creations {
    /// Returns once the platform has taken it on, or has refused. From there on it goes by itself, also when the visitor
    /// closes the tab.
    pub(crate) async fn begin(
        &self,
        osc: OscContext,
        service: &str,
        name: &str,
        options: &str,
    ) -> Result<(), ContextError> {
        let key = (osc.session().id(), service.to_owned(), name.to_owned());
        // What is no JSON is not taken for options either.
        let options = match options.trim() {
            "" => Value::Object(serde_json::Map::new()),
            text => serde_json::from_str(text).unwrap_or(Value::Null),
        };
        let (answer, answered) = oneshot::channel();
        let creations = self.clone();
        tokio::spawn(async move {
            let (_, service, name) = &key;
            let instance = match osc.create_instance(service, name, options).await {
                Ok(instance) => instance,
                Err(error) => return answer.send(Err(error)),
            };
            creations.tell(&key, Progress::Starting("starting".to_owned()));
            let _ = answer.send(Ok(()));
            // `osc` is a handle on the session, so every look has a token that is good.
            let watch = |health: &osc_auth_layer::client::InstanceHealth| {
                creations.tell(&key, Progress::Starting(health.status.clone()));
            };
            match osc.wait_until_ready(service, &instance, LONGEST, watch).await {
                Ok(()) => tracing::info!("{name} runs"),
                Err(error) => {
                    tracing::warn!(%error, "{name} did not start");
                    creations.tell(&key, Progress::Failed(error.to_string()));
                    tokio::time::sleep(FAILURES_ARE_TOLD_FOR).await;
                }
            }
            creations.lock().remove(&key);
            Ok(())
        });
        // Without an answer the runtime is shutting down, and nobody is left to read this one.
        answered.await.unwrap_or(Ok(()))
    }

    /// Another node may have begun it: then the platform knows.
    pub(crate) async fn progress(
        &self,
        osc: &OscContext,
        service: &str,
        name: &str,
    ) -> Result<Progress, ContextError> {
        let key = (osc.session().id(), service.to_owned(), name.to_owned());
        let known = self.lock().get(&key).cloned();
        if let Some(progress) = known {
            return Ok(progress);
        }
        let health = osc.instance_health(service, name).await?;
        Ok(if health.is_running() { Progress::Running } else { Progress::Starting(health.status) })
    }

    /// Of the session's instances of a service, by name.
    pub(crate) fn of(&self, osc: &OscContext, service: &str) -> HashMap<String, Progress> {
        let session = osc.session().id();
        let creations = self.lock();
        let mine = creations.iter().filter(|((owner, of, _), _)| *owner == session && of == service);
        mine.map(|((_, _, name), progress)| (name.clone(), progress.clone())).collect()
    }

    pub(crate) fn forget(&self, osc: &OscContext, service: &str, name: &str) {
        self.lock().remove(&(osc.session().id(), service.to_owned(), name.to_owned()));
    }

    fn tell(&self, key: &Key, progress: Progress) {
        self.lock().insert(key.clone(), progress);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
