//! Creates instances in background tasks. A task outlives the request that began it and that request's access
//! token.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use osc_auth_layer::workspace::InstanceHealth;
use osc_auth_layer::{ContextError, ContextErrorKind as Kind, OscContext, OscSession};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::page::sentence;

const LONGEST: Duration = Duration::from_secs(10 * 60);

/// After this time the visitor sees the progress page, even if the platform has not answered.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

const FAILURES_ARE_TOLD_FOR: Duration = Duration::from_secs(10 * 60);

/// The state of an instance that is being created.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// Holds the status that the platform reports.
    Starting(String),
    Running,
    Failed(String),
}

/// Session, service and name.
type Key = (String, String, String);

#[derive(Debug)]
struct Creation {
    /// Distinguishes two creations of the same name, if an instance is removed and created again while the
    /// first task runs.
    number: u64,
    progress: Progress,
}

/// The creations that run in this process, and those that failed recently.
#[derive(Clone, Debug, Default)]
pub(crate) struct Creations(Arc<Mutex<HashMap<Key, Creation>>>);

impl Creations {
    /// Starts to create an instance. Returns once the platform accepts or refuses it, or after
    /// [`ANSWERED_WITHIN`].
    ///
    /// The creation continues in the background, even if the visitor closes the tab.
    pub(crate) async fn begin(
        &self,
        osc: OscContext,
        service: &str,
        name: &str,
        options: &str,
    ) -> Result<(), ContextError> {
        let key = (owner(&osc), service.to_owned(), name.to_owned());
        // Text that is not JSON becomes `null`, which the client refuses as options.
        let options = match options.trim() {
            "" => Value::Object(serde_json::Map::new()),
            text => serde_json::from_str(text).unwrap_or(Value::Null),
        };
        let (answer, answered) = oneshot::channel();
        let creations = self.clone();
        tokio::spawn(async move {
            let (_, service, name) = &key;
            // The handle belongs to the session, so every request gets a fresh token.
            let service = osc.service(service);
            let instance = service.instance(name);
            let mut creating = std::pin::pin!(instance.create_or_adopt(options, LONGEST));
            let created = match timeout(ANSWERED_WITHIN, &mut creating).await {
                Ok(Err(error)) => return answer.send(Err(error)),
                Ok(Ok(creation)) => Some(creation),
                // The outcome is not known yet. The instance may appear minutes later.
                Err(_) => None,
            };
            let number = creations.begun(&key);
            let _ = answer.send(Ok(()));
            let watch = |health: &InstanceHealth| {
                creations.tell(&key, number, Progress::Starting(health.status.to_string()));
            };
            let ready = async {
                let creation = match created {
                    Some(creation) => creation,
                    None => creating.await?,
                };
                service.known_instance(creation.instance()).wait_until_ready(LONGEST, watch).await
            };
            match ready.await {
                Ok(()) => tracing::info!("{name} runs"),
                // The user signed out or removed the instance, so nobody waits for it.
                Err(error) if matches!(error.kind(), Kind::SessionEnded | Kind::NotFound) => {}
                Err(error) => {
                    tracing::warn!(%error, "{name} did not start");
                    creations.tell(&key, number, Progress::Failed(sentence(&error)));
                    tokio::time::sleep(FAILURES_ARE_TOLD_FOR).await;
                }
            }
            creations.end(&key, number);
            Ok(())
        });
        // No answer means that the runtime is shutting down.
        answered.await.unwrap_or(Ok(()))
    }

    /// Returns the progress. If another node began the creation, only the platform knows it.
    pub(crate) async fn progress(
        &self,
        osc: &OscContext,
        service: &str,
        name: &str,
    ) -> Result<Progress, ContextError> {
        let key = (owner(osc), service.to_owned(), name.to_owned());
        let known = self.lock().get(&key).map(|creation| creation.progress.clone());
        if let Some(starting @ Progress::Starting(_)) = known {
            return Ok(starting);
        }
        Ok(match osc.service(service).instance(name).health().await {
            Ok(health) if health.is_running() => Progress::Running,
            Ok(health) => known.unwrap_or(Progress::Starting(health.status.to_string())),
            Err(error) if error.kind() == Kind::Unavailable => {
                known.unwrap_or(Progress::Starting("…".to_owned()))
            }
            Err(error) => return Err(error),
        })
    }

    /// Returns the session's creations of a service, by name.
    pub(crate) fn of(&self, osc: &OscContext, service: &str) -> HashMap<String, Progress> {
        let session = owner(osc);
        let creations = self.lock();
        let mine = creations.iter().filter(|((owner, of, _), _)| *owner == session && of == service);
        mine.map(|((_, _, name), creation)| (name.clone(), creation.progress.clone())).collect()
    }

    pub(crate) fn forget(&self, osc: &OscContext, service: &str, name: &str) {
        self.lock().remove(&(owner(osc), service.to_owned(), name.to_owned()));
    }

    fn begun(&self, key: &Key) -> u64 {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let progress = Progress::Starting("starting".to_owned());
        self.lock().insert(key.clone(), Creation { number, progress });
        number
    }

    fn tell(&self, key: &Key, number: u64, progress: Progress) {
        let mut creations = self.lock();
        if let Some(creation) = creations.get_mut(key).filter(|creation| creation.number == number) {
            creation.progress = progress;
        }
    }

    fn end(&self, key: &Key, number: u64) {
        self.lock().retain(|other, creation| other != key || creation.number != number);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Creation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the public id of the user's session.
fn owner(osc: &OscContext) -> String {
    osc.session().map(OscSession::id).unwrap_or_default()
}
