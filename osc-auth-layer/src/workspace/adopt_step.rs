//! One step towards an instance that is created or adopted. The calls of a session for the same name share a step.

use std::sync::Arc;

use super::answer::Doing;
use super::cache::Workspace;
use super::create::{Order, TAKEN};
use super::starts::{Next, next};
use super::wait::pause_after;
use super::{ContextError, ContextErrorKind, Instance, OscInstance, Outcome};
use crate::clock::Timestamp;

/// The result of one look for the name and, if it is free, of one create.
#[derive(Clone)]
pub(super) struct Step {
    /// The order of the call that took the step.
    pub(super) order: Arc<Order>,
    /// True if the step sent the create.
    pub(super) has_asked: bool,
    pub(super) outcome: Outcome<Progress>,
}

#[derive(Clone)]
pub(super) enum Progress {
    Created(Instance),
    TurnedUp(Instance),
    NotYet,
    /// The platform is unreachable or asks to wait. Nothing was created.
    Later(ContextError),
}

impl OscInstance {
    /// Takes one step. `has_asked` says whether the call has sent its create already. After `until`, when the
    /// call times out, nothing is created.
    pub(super) async fn step(
        &self,
        workspace: &Workspace,
        order: Arc<Order>,
        has_asked: bool,
        until: Timestamp,
    ) -> Step {
        let doing = self.doing("create");
        let looked = self.look_for(doing, workspace, &order, has_asked).await;
        let is_late = self.service.context.now(doing).is_ok_and(|now| now >= until);
        let (has_asked, outcome) = match looked {
            Ok(None) if !is_late => {
                let created = self.ask_for(doing, workspace, &order).await;
                // If nothing was created, the next step asks again.
                (!matches!(created, Ok(Progress::Later(_))), created)
            }
            looked => (false, looked.map(|progress| progress.unwrap_or(Progress::NotYet))),
        };
        Step { order, has_asked, outcome }
    }

    /// Looks for the name. Returns `None` if it is time to create the instance.
    async fn look_for(
        &self,
        doing: Doing<'_>,
        workspace: &Workspace,
        order: &Order,
        has_asked: bool,
    ) -> Outcome<Option<Progress>> {
        let looked = self.look(doing).await;
        let now = self.service.context.now(doing)?;
        let start = workspace.starts.lock().get(order, now);
        let found = match looked {
            Ok(found) => found,
            Err(error) => match (error.kind(), &start) {
                // The create will activate the service.
                (ContextErrorKind::NotSubscribed, _) => None,
                (ContextErrorKind::Unavailable, _) => return Ok(Some(Progress::Later(error))),
                (_, Some(start)) if has_asked && pause_after(&error, start.at, now).is_some() => {
                    return Ok(Some(Progress::NotYet));
                }
                _ => return Err(error),
            },
        };
        match (next(found.as_ref(), start.as_ref(), order, has_asked), found) {
            (Next::Create, _) => Ok(None),
            (Next::Adopt, Some(instance)) => Ok(Some(Progress::TurnedUp(instance))),
            (Next::Wait, _) => Ok(Some(Progress::NotYet)),
            (Next::Taken | Next::Adopt, _) => {
                workspace.starts.lock().undo(order, None);
                Err(doing.error(ContextErrorKind::NameTaken, TAKEN))
            }
        }
    }

    /// Sends the create and remembers it until its outcome is clear.
    async fn ask_for(&self, doing: Doing<'_>, workspace: &Workspace, order: &Order) -> Outcome<Progress> {
        let now = self.service.context.now(doing)?;
        let earlier = workspace.starts.lock().get(order, now);
        workspace.starts.lock().begin(order, now);
        let error = match self.ask_to_create(doing, &order.body).await {
            Ok(instance) => {
                let mut starts = workspace.starts.lock();
                // No other create for the name was carried out.
                starts.forget(&order.key);
                starts.begin(order, now);
                return Ok(Progress::Created(instance));
            }
            Err(error) => error,
        };
        match error.kind() {
            ContextErrorKind::MaybeCreated => Ok(Progress::NotYet),
            ContextErrorKind::NameTaken => {
                match earlier {
                    // The earlier create, whose outcome was unclear, has taken the name.
                    Some(earlier) => workspace.starts.lock().undo(order, Some(earlier)),
                    None => workspace.starts.lock().doubt(order),
                }
                // A suspended instance is in no list and will not turn up.
                if self.is_suspended().await {
                    workspace.starts.lock().forget(&order.key);
                    let why = "a suspended instance has this name; resume it or choose another name";
                    return Err(error.with_kind(ContextErrorKind::NameTaken, why));
                }
                tracing::debug!(%doing, "the name is taken, but the instance has not appeared yet");
                Ok(Progress::NotYet)
            }
            kind => {
                workspace.starts.lock().undo(order, earlier);
                if kind == ContextErrorKind::Unavailable { Ok(Progress::Later(error)) } else { Err(error) }
            }
        }
    }

    async fn is_suspended(&self) -> bool {
        let suspended = self.service.context.suspended_instances().await.unwrap_or_default();
        suspended.iter().any(|it| *it.service_id == *self.service.id && *it.name == *self.name)
    }
}
