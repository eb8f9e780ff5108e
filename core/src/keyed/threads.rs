//! Work that several threads share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};

/// Does something on this thread and on others, at most as many as there are tasks.
///
/// # Errors
/// What `work` says, or if a thread broke down.
pub(crate) fn on_threads<T: Send>(
    n_threads: usize,
    n_tasks: usize,
    work: impl Fn() -> Result<T> + Sync,
) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let n_others = n_threads.min(n_tasks).saturating_sub(1);
        let others: Vec<_> = (0..n_others).map(|_| scope.spawn(&work)).collect();
        let own = work();
        let others = others.into_iter().map(|other| other.join().unwrap_or_else(|_| Err(broken())));
        [own].into_iter().chain(others).collect()
    })
}

/// Does `n_tasks` tasks on threads that take one after the other; returns their results in order.
///
/// # Errors
/// What `work` says, or if a thread broke down.
pub(crate) fn share_out<T: Send>(
    n_threads: usize,
    n_tasks: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let of_threads = on_threads(n_threads, n_tasks, || {
        let mut done = Vec::new();
        loop {
            let idx = next.fetch_add(1, Ordering::Relaxed);
            if idx >= n_tasks {
                return Ok(done);
            }
            done.push((idx, work(idx)?));
        }
    })?;
    let mut done: Vec<(usize, T)> = of_threads.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(idx, _)| *idx);
    Ok(done.into_iter().map(|(_, done)| done).collect())
}

/// Waits for a task.
///
/// # Errors
/// What the task says, or if it broke down.
pub(crate) async fn joined<T: Send + 'static>(task: SpawnedTask<Result<T>>) -> Result<T> {
    task.join().await.unwrap_or_else(|_| Err(broken()))
}

fn broken() -> DataFusionError {
    DataFusionError::Internal("a thread of a join broke down".to_owned())
}
