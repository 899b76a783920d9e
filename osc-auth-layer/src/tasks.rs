//! Background tasks that a shutdown waits for.

use std::future::Future;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// A group of background tasks. Clones share the group.
///
/// Each task holds a receiver of the channel, so tokio counts them, and those that panic or lose their runtime too.
#[derive(Clone)]
pub(crate) struct Tasks(watch::Sender<()>);

impl Default for Tasks {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Tasks {
    /// Starts a task, unless it is called outside a Tokio runtime.
    pub(crate) fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            self.start_on(&runtime, task);
        }
    }

    pub(crate) fn start_on(&self, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let running = self.0.subscribe();
        // An async block would have room for the task twice.
        runtime.spawn(task.map(|()| drop(running)));
    }

    /// Returns the number of tasks under way.
    pub(crate) fn len(&self) -> usize {
        self.0.receiver_count()
    }

    /// Waits until no task is under way.
    pub(crate) async fn ended(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn the_end_comes_when_the_last_task_has_ended() {
        let (tasks, go) = (Tasks::default(), Arc::new(Notify::new()));
        assert!(tasks.ended().now_or_never().is_some());
        let waiting = |go: Arc<Notify>| async move { go.notified().await };
        tasks.start(waiting(go.clone()));
        tasks.clone().start(waiting(go.clone()));
        assert_eq!(tasks.len(), 2);
        go.notify_one();
        while tasks.len() == 2 {
            tokio::task::yield_now().await;
        }
        assert!(tasks.ended().now_or_never().is_none());
        go.notify_one();
        tasks.ended().await;
        assert_eq!(tasks.len(), 0);
    }

    #[tokio::test]
    async fn a_task_that_panics_has_ended() {
        let tasks = Tasks::default();
        tasks.start(async { panic!("on purpose") });
        assert_eq!(tasks.len(), 1);
        tasks.ended().await;
    }

    #[test]
    fn a_task_has_ended_when_its_runtime_has() {
        let tasks = Tasks::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tasks.start_on(runtime.handle(), std::future::pending());
        assert!(tasks.ended().now_or_never().is_none());
        drop(runtime);
        assert!(tasks.ended().now_or_never().is_some());
        tasks.start(std::future::pending());
        assert_eq!(tasks.len(), 0);
    }
}
