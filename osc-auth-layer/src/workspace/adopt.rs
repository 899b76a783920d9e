//! Creates an instance even if the platform loses the answer: the instance is adopted when it turns up.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::access::no_runtime;
use super::adopt_step::Progress;
use super::answer::Doing;
use super::cache::Workspace;
use super::create::{Order, TAKEN};
use super::starts::Start;
use super::wait::BETWEEN_LOOKS;
use super::{ContextError, ContextErrorKind, Instance, OscInstance, Outcome};
use crate::clock::Timestamp;

/// Says whether [`OscInstance::create_or_adopt`] created the instance or found it.
#[derive(Clone, Debug, PartialEq)]
pub enum Creation {
    /// This call created the instance.
    Created(Instance),
    /// The instance turned up after a create with an unclear outcome, or a concurrent call of this session created it.
    Adopted(Instance),
}

impl Creation {
    /// Returns the instance.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        match self {
            Self::Created(instance) | Self::Adopted(instance) => instance,
        }
    }

    /// Converts it into the instance.
    #[must_use]
    pub fn into_instance(self) -> Instance {
        match self {
            Self::Created(instance) | Self::Adopted(instance) => instance,
        }
    }
}

/// Counts a call among the concurrent calls for the same instance, until its future ends or is dropped.
struct Claim<'a> {
    workspace: &'a Workspace,
    order: &'a Order,
    has_it: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.workspace.starts.lock().leave(self.order, self.has_it);
    }
}

impl OscInstance {
    /// Creates the instance, and waits for it if the answer does not say whether it was created. Safe to repeat: call it again
    /// after any error, or from two tabs at once.
    ///
    /// While OSC starts a new node of its cluster, a create ends in a 504, and the instance turns up minutes later. This
    /// method looks for the name and creates the instance if the name is free. After an unclear answer it looks for the
    /// instance every second until `timeout` has passed since the call. It adopts an instance only if the name was free
    /// before the create:
    ///
    /// | name before the create | answer to the create | afterwards | result |
    /// |---|---|---|---|
    /// | free | success | | `Created` |
    /// | free | unclear | the instance turns up | `Adopted` |
    /// | free | the name is taken | it turns up, and none of your options differs | `Adopted` |
    /// | free | the name is taken | an option differs, or the instance is suspended | [`NameTaken`](ContextErrorKind::NameTaken) |
    /// | taken, after an unclear create of this session with the same options | | | `Adopted` |
    /// | taken | | | [`NameTaken`](ContextErrorKind::NameTaken) |
    ///
    /// Concurrent calls of one session with the same options share one request: one call returns `Created`, the others
    /// `Adopted`. Concurrent calls with other options return [`NameTaken`](ContextErrorKind::NameTaken). The session
    /// remembers an unclear create for 30 minutes, in this process. Dropping the future ends the wait, but not a create
    /// that was sent.
    ///
    /// The instance may still be starting: see [`wait_until_ready`](Self::wait_until_ready).
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::workspace::Creation;
    /// use osc_auth_layer::{ContextError, OscContext};
    /// use serde_json::json;
    ///
    /// async fn store(osc: &OscContext) -> Result<(), ContextError> {
    ///     let store = osc.service("minio-minio").instance("store");
    ///     match store.create_or_adopt(json!({}), Duration::from_secs(600)).await? {
    ///         Creation::Created(created) => println!("created {}", created.name),
    ///         Creation::Adopted(found) => println!("found {} after an earlier try", found.name),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// - [`NameTaken`](ContextErrorKind::NameTaken): see the table.
    /// - [`MaybeCreated`](ContextErrorKind::MaybeCreated): the instance did not turn up in time, but still may.
    /// - [`TimedOut`](ContextErrorKind::TimedOut): nothing was created, because the platform was unreachable.
    /// - Those of [`create`](Self::create).
    pub async fn create_or_adopt(
        &self,
        options: impl Serialize,
        timeout: Duration,
    ) -> Result<Creation, ContextError> {
        let doing = self.doing("create");
        let context = &self.service.context;
        let order = Arc::new(Order::new(doing, options)?);
        let workspace = context.workspace(doing).await?;
        let until = context.now(doing)?.plus(timeout);
        workspace.starts.lock().enter(&order);
        let mut claim = Claim { workspace: &workspace, order: &order, has_it: false };
        let settling = self.settle(doing, &workspace, &order, until);
        if let Some(creation) = context.within(doing, timeout, settling).await? {
            claim.has_it = true;
            return Ok(creation);
        }
        let start = workspace.starts.lock().get(&order, context.now(doing)?);
        let (kind, why) = match start {
            Some(Start { needs_proof: true, .. }) => {
                let why = "the name is taken, but no instance with this name appeared in time";
                (ContextErrorKind::NameTaken, why)
            }
            Some(_) => {
                let why = "it did not appear in time but still may; look for it before you create it again";
                (ContextErrorKind::MaybeCreated, why)
            }
            None => (ContextErrorKind::TimedOut, "Open Source Cloud was unreachable the whole time"),
        };
        Err(doing.error(kind, why))
    }

    async fn settle(
        &self,
        doing: Doing<'_>,
        workspace: &Arc<Workspace>,
        order: &Arc<Order>,
        until: Timestamp,
    ) -> Outcome<Creation> {
        let mut has_asked = false;
        loop {
            let step = || {
                let (instance, workspace, order) = (self.clone(), workspace.clone(), order.clone());
                async move { instance.step(&workspace, order, has_asked, until).await }
            };
            let step = workspace.creating.join(&order.key, None, step).await;
            let step = step.ok_or_else(|| no_runtime(doing))?;
            let is_mine = Arc::ptr_eq(&step.order, order);
            if step.order.digest != order.digest {
                match step.outcome {
                    Ok(Progress::Created(_) | Progress::TurnedUp(_)) => {
                        return Err(doing.error(ContextErrorKind::NameTaken, TAKEN));
                    }
                    // The other order did not create an instance, or its outcome is unclear. This order takes its own turn.
                    _ => continue,
                }
            }
            has_asked |= step.has_asked;
            let pause = match step.outcome? {
                Progress::Created(instance) if is_mine => return Ok(Creation::Created(instance)),
                Progress::Created(instance) | Progress::TurnedUp(instance) => {
                    return Ok(Creation::Adopted(instance));
                }
                // Another call looked. This call has not sent its create yet, so it takes a turn at once.
                Progress::NotYet if !is_mine && !has_asked => continue,
                Progress::NotYet => BETWEEN_LOOKS,
                Progress::Later(error) => error.retry_after().unwrap_or_default().max(BETWEEN_LOOKS),
            };
            self.service.context.pause(doing, pause).await?;
        }
    }
}
