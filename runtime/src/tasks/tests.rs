use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use super::*;
use crate::process::chain;

const TIMEOUT: Duration = Duration::from_secs(20);

async fn until_drained(drain: Drain) -> Result<(), BoxError> {
    drain.draining().await;
    Ok(())
}

async fn endless() -> Result<(), BoxError> {
    std::future::pending().await
}

/// Supervises `task` next to one that drains well; both the error and that the other was drained.
async fn ending(task: impl Future<Output = Result<(), BoxError>> + Send + 'static) -> TaskError {
    let (drain, mut tasks) = (Drain::new(), Tasks::new());
    tasks.required("good", until_drained(drain.clone()));
    tasks.required("bad", task);
    let error = tasks.supervise(&drain, TIMEOUT).await.unwrap_err();
    assert!(drain.is_draining(), "the others were asked to stop");
    error
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_ends_the_process_with_its_name_and_cause() {
    let error = ending(async { Err("socket lost".into()) }).await;
    assert_eq!(chain(&error), "task bad failed: socket lost");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_returns_ok_ends_the_process_too() {
    let error = ending(async { Ok(()) }).await;
    assert!(
        matches!(&error, TaskError::Ended { name } if name == "bad"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_named_with_its_message() {
    let error = ending(async { panic!("index {} out of range", 3) }).await;
    assert!(
        error
            .to_string()
            .starts_with("task bad panicked: index 3 out of range"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_background_task_is_as_indispensable_until_the_drain() {
    let (drain, mut tasks) = (Drain::new(), Tasks::new());
    tasks.background("admin", async { Err::<(), _>("port lost") });
    let error = tasks.supervise(&drain, TIMEOUT).await.unwrap_err();
    assert_eq!(chain(&error), "task admin failed: port lost");
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_required_tasks_but_not_for_background_ones() {
    let (drain, mut tasks) = (Drain::new(), Tasks::new());
    let finished = Arc::new(AtomicBool::new(false));
    let (seen, stop) = (Arc::clone(&finished), drain.clone());
    tasks.required("requests", async move {
        stop.draining().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        seen.store(true, Ordering::SeqCst);
        Ok::<_, BoxError>(())
    });
    tasks.background("admin", endless());

    let started = Instant::now();
    drain.start();
    tasks.supervise(&drain, TIMEOUT).await.unwrap();
    assert!(finished.load(Ordering::SeqCst));
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_forces_and_cuts_off() {
    let (drain, mut tasks) = (Drain::new(), Tasks::new());
    tasks.required("stuck", endless());
    let started = Instant::now();
    drain.start();
    tasks.supervise(&drain, TIMEOUT).await.unwrap();
    assert_eq!(started.elapsed(), TIMEOUT);
    drain.forced().await;
}

#[tokio::test(start_paused = true)]
async fn forcing_does_not_wait_for_the_deadline() {
    let (drain, mut tasks) = (Drain::new(), Tasks::new());
    tasks.required("stuck", endless());
    let started = Instant::now();
    drain.force();
    tasks.supervise(&drain, TIMEOUT).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_draining_is_reported() {
    let (drain, mut tasks) = (Drain::new(), Tasks::new());
    let stop = drain.clone();
    tasks.required("status", async move {
        stop.draining().await;
        Err::<(), _>("last write refused")
    });
    drain.start();
    let error = tasks.supervise(&drain, TIMEOUT).await.unwrap_err();
    assert_eq!(chain(&error), "task status failed: last write refused");
}
