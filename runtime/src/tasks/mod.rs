//! Supervised tasks: none of them can end unnoticed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

use crate::drain::Drain;

/// The error a task may end with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Which task ended a process that nobody had asked to stop, and how.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// It returned an error.
    #[error("task {name} failed")]
    Failed {
        /// The task.
        name: Cow<'static, str>,
        /// What it returned.
        source: BoxError,
    },
    /// It returned without an error, as if it had nothing left to do.
    #[error("task {name} ended although the process was not asked to stop")]
    Ended {
        /// The task.
        name: Cow<'static, str>,
    },
    /// It panicked.
    #[error("task {name} panicked: {message}; this is a bug, please report it")]
    Panicked {
        /// The task.
        name: Cow<'static, str>,
        /// What the panic said.
        message: String,
    },
}

/// The tasks a process consists of.
///
/// **Guarantee**: as long as [`supervise`](Self::supervise) runs, all tasks run; as soon as one
/// ends in any way, the others are drained and the process ends with that task's name.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<Result<(), BoxError>>,
    tasks: HashMap<Id, Task>,
}

#[derive(Debug)]
struct Task {
    name: Cow<'static, str>,
    /// Whether a drain waits for it.
    awaited: bool,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task that is waited for when the process drains: it must return soon after
    /// [`Drain::draining`], and at once after [`Drain::forced`].
    pub fn required<E: Into<BoxError>>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.spawn(name.into(), true, task);
    }

    /// Starts a task that keeps running while the others drain and is cut off after them, such as
    /// the admin server. It is just as indispensable until then.
    pub fn background<E: Into<BoxError>>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.spawn(name.into(), false, task);
    }

    fn spawn<E: Into<BoxError>>(
        &mut self,
        name: Cow<'static, str>,
        awaited: bool,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let handle = self
            .running
            .spawn(async move { task.await.map_err(Into::into) });
        self.tasks.insert(handle.id(), Task { name, awaited });
    }

    /// Runs until the process is asked to stop through `drain`, or a task ends; then drains: waits
    /// up to `timeout` for the required tasks, then forces and aborts what is left.
    ///
    /// # Errors
    /// The first task that ended unasked, or that failed while draining.
    pub async fn supervise(mut self, drain: &Drain, timeout: Duration) -> Result<(), TaskError> {
        let first = tokio::select! {
            // A task that ends because of the drain must not be taken for the drain's cause.
            biased;
            () = drain.draining() => Ok(()),
            ended = self.next_end() => Err(ended.into_unasked()),
        };
        if let Err(error) = &first {
            tracing::error!(error = error as &dyn Error, "stopping because a task ended");
        }
        // Also when a task has ended: the others finish what is under way, as after SIGTERM.
        drain.start();
        let drained = tokio::select! {
            drained = self.awaited_ends() => drained,
            () = tokio::time::sleep(timeout) => Ok(()),
            () = drain.forced() => Ok(()),
        };
        self.cut_off(drain).await;
        // The task that ended first is the cause; what failed afterwards may follow from it.
        first.and(drained)
    }

    /// Waits until no required task is left; the first failure among them.
    async fn awaited_ends(&mut self) -> Result<(), TaskError> {
        let mut first = Ok(());
        while self.tasks.values().any(|task| task.awaited) {
            first = first.and(self.next_end().await.into_result());
        }
        first
    }

    async fn cut_off(&mut self, drain: &Drain) {
        let late: Vec<_> = self
            .tasks
            .values()
            .filter(|task| task.awaited)
            .map(|task| task.name.as_ref())
            .collect();
        if !late.is_empty() {
            tracing::warn!(tasks = late.join(", "), "not finished in time; cut off");
        }
        drain.force();
        self.running.shutdown().await;
    }

    async fn next_end(&mut self) -> TaskEnd {
        loop {
            match self.running.join_next_with_id().await {
                Some(Ok((id, result))) => {
                    return TaskEnd {
                        name: self.forget(id),
                        result: Ok(result),
                    };
                }
                Some(Err(error)) => {
                    return TaskEnd {
                        name: self.forget(error.id()),
                        result: Err(error),
                    };
                }
                // No tasks at all: there is nothing that could end.
                None => std::future::pending().await,
            }
        }
    }

    fn forget(&mut self, id: Id) -> Cow<'static, str> {
        self.tasks
            .remove(&id)
            .map_or(Cow::Borrowed("unknown"), |task| task.name)
    }
}

/// How one task ended.
struct TaskEnd {
    name: Cow<'static, str>,
    result: Result<Result<(), BoxError>, JoinError>,
}

impl TaskEnd {
    /// The error of a task that should have gone on.
    fn into_unasked(self) -> TaskError {
        let name = self.name.clone();
        self.into_result()
            .err()
            .unwrap_or(TaskError::Ended { name })
    }

    /// The error of a task that was asked to stop.
    fn into_result(self) -> Result<(), TaskError> {
        let name = self.name;
        match self.result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(TaskError::Failed { name, source }),
            Err(error) => match error.try_into_panic() {
                Ok(payload) => Err(TaskError::Panicked {
                    name,
                    message: panic_message(&payload),
                }),
                Err(cancelled) => Err(TaskError::Failed {
                    name,
                    source: cancelled.into(),
                }),
            },
        }
    }
}

fn panic_message(payload: &Box<dyn std::any::Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
