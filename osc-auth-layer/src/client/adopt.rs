//! Creating an instance although the platform loses answers: created, or adopted when it turns up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use serde::Serialize;

use super::access::no_runtime;
use super::adopt_step::{Progress, is_taken};
use super::answer::Doing;
use super::context::OscContext;
use super::create::Order;
use super::error::{ContextError, ContextErrorKind};
use super::instance::Instance;
use super::starts::Start;
use super::wait::BETWEEN_LOOKS;
use super::workspace::Workspace;
use crate::clock::Timestamp;

/// What [`OscContext::create_or_adopt_instance`] did.
#[derive(Clone, Debug, PartialEq)]
pub enum Creation {
    /// This call created the instance.
    Created(Instance),
    /// The instance turned up after a create whose outcome was unclear, or another call of this session created it at the same
    /// time.
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

    /// Turns it into the instance.
    #[must_use]
    pub fn into_instance(self) -> Instance {
        match self {
            Self::Created(instance) | Self::Adopted(instance) => instance,
        }
    }
}

/// Counts a call among those that want the same instance, until its future ends or is dropped.
struct Claim {
    workspace: Arc<Workspace>,
    order: Arc<Order>,
    has_it: bool,
}

impl Claim {
    fn new(workspace: &Arc<Workspace>, order: &Arc<Order>) -> Self {
        workspace.starts.lock().enter(order);
        Self { workspace: workspace.clone(), order: order.clone(), has_it: false }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.workspace.starts.lock().leave(&self.order, self.has_it);
    }
}

impl OscContext {
    /// Creates an instance, and waits for it when the platform does not say what became of the request. Safe to repeat: call it
    /// again after any error, or from two tabs at once.
    ///
    /// While a node of OSC's cluster is being started, a create ends in a 504, and the instance turns up minutes later. This
    /// method looks for the name, creates the instance if the name is free, and looks for it every second until `deadline`. It
    /// adopts an instance only if its name was absent before the create:
    ///
    /// | before the create | the create | then | result |
    /// |---|---|---|---|
    /// | absent | succeeds | | `Created` |
    /// | absent | gets no clear answer | it turns up | `Adopted` |
    /// | absent | says the name is taken | it turns up and shows no other options than were asked for | `Adopted` |
    /// | absent | says the name is taken | it shows other options, or is suspended | [`NameTaken`](ContextErrorKind::NameTaken) |
    /// | present, after an unclear create of this session with the same options | | | `Adopted` |
    /// | present | | | [`NameTaken`](ContextErrorKind::NameTaken) |
    ///
    /// Calls at the same time with the same options share one request in a session: one returns `Created`, the others
    /// `Adopted`. With other options they return [`NameTaken`](ContextErrorKind::NameTaken). An unclear create is remembered
    /// for half an hour, in this process. Dropping the future ends the wait, not a create that was sent.
    ///
    /// The instance may still be starting: see [`wait_until_ready`](Self::wait_until_ready).
    ///
    /// ```
    /// use std::time::Duration;
    /// use osc_auth_layer::client::Creation;
    /// use osc_auth_layer::{ContextError, OscContext};
    /// use serde_json::json;
    ///
    /// async fn store(osc: &OscContext) -> Result<(), ContextError> {
    ///     let ten_minutes = Duration::from_secs(600);
    ///     match osc.create_or_adopt_instance("minio-minio", "store", json!({}), ten_minutes).await? {
    ///         Creation::Created(store) => println!("created {}", store.name),
    ///         Creation::Adopted(store) => println!("found {} after an earlier try", store.name),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// - [`NameTaken`](ContextErrorKind::NameTaken), as in the table.
    /// - [`MaybeCreated`](ContextErrorKind::MaybeCreated): it did not turn up before the deadline, and still may.
    /// - [`DeadlineExceeded`](ContextErrorKind::DeadlineExceeded): nothing was created, because the platform was out of reach.
    /// - Those of [`create_instance`](Self::create_instance).
    pub async fn create_or_adopt_instance(
        &self,
        service_id: &str,
        name: &str,
        options: impl Serialize,
        deadline: Duration,
    ) -> Result<Creation, ContextError> {
        let doing = Doing::new("create").of(service_id).to(name);
        let order = Arc::new(Order::new(doing, service_id, name, options)?);
        let workspace = self.workspace(doing).await?;
        let until = self.now(doing)?.plus(deadline);
        let mut claim = Claim::new(&workspace, &order);
        let settled = std::pin::pin!(self.settle(doing, &workspace, &order, until));
        let late = std::pin::pin!(self.sleep(doing, deadline));
        match select(settled, late).await {
            Either::Left((settled, _)) => {
                claim.has_it = settled.is_ok();
                settled
            }
            Either::Right((Err(error), _)) => Err(error),
            Either::Right((Ok(()), _)) => {
                let start = workspace.starts.lock().get(&order, self.now(doing)?);
                Err(too_late(doing, start.as_ref()))
            }
        }
    }

    async fn settle(
        &self,
        doing: Doing<'_>,
        workspace: &Arc<Workspace>,
        order: &Arc<Order>,
        until: Timestamp,
    ) -> Result<Creation, ContextError> {
        let me = workspace.next_call();
        let mut has_asked = false;
        loop {
            let step = || {
                let (context, workspace, order) = (self.clone(), workspace.clone(), order.clone());
                async move { context.step(&workspace, &order, me, has_asked, until).await }
            };
            let step = workspace.creating.join(&order.key(), &workspace.tasks, step).await;
            let step = step.ok_or_else(|| no_runtime(doing))?;
            let is_mine = step.by == me;
            if step.digest != order.digest {
                match step.outcome {
                    Ok(Progress::Created(_) | Progress::TurnedUp(_)) => return Err(is_taken(doing)),
                    // Whatever became of the other order, this one has its own turn.
                    _ => continue,
                }
            }
            has_asked |= step.has_asked;
            let pause = match step.outcome? {
                Progress::Created(instance) if is_mine => return Ok(Creation::Created(instance)),
                Progress::Created(instance) | Progress::TurnedUp(instance) => {
                    return Ok(Creation::Adopted(instance));
                }
                // Another call's look: this one has its own turn.
                Progress::NotYet if !is_mine && !has_asked => continue,
                Progress::NotYet => BETWEEN_LOOKS,
                Progress::Later(error) => error.retry_after().unwrap_or_default().max(BETWEEN_LOOKS),
            };
            self.pause(doing, pause).await?;
        }
    }
}

fn too_late(doing: Doing<'_>, start: Option<&Start>) -> ContextError {
    match start {
        Some(start) if start.needs_proof => {
            let why = "the name is taken, and no instance of that name turned up by the deadline";
            doing.error(ContextErrorKind::NameTaken, why)
        }
        Some(_) => {
            let why =
                "it did not turn up by the deadline, and still may: look for it before you create it again";
            doing.error(ContextErrorKind::MaybeCreated, why)
        }
        None => doing.error(
            ContextErrorKind::DeadlineExceeded,
            "Open Source Cloud was out of reach until the deadline",
        ),
    }
}
