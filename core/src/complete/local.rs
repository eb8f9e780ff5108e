//! The columns of local tables, for completion.
//! A file is looked through once, on a thread of its own, and again when it has changed. Who asks
//! first waits a moment for it, not longer.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::KnownColumn;
use crate::config::LocalTableConfig;
use crate::engine::completing::known_columns;
use crate::local::LocalTable;
use crate::statement::StatementContext;

/// How long somebody who types waits for a file.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is known of the local tables, by name.
#[derive(Default)]
pub(crate) struct LocalColumns {
    tables: Mutex<HashMap<String, Arc<Looked>>>,
    cancel: CancellationToken,
}

/// What a look through a file has shown so far.
struct Looked {
    stamp: Option<(u64, Option<SystemTime>)>,
    /// The columns, once they are known; none if the file cannot be read.
    columns: Mutex<Option<Vec<KnownColumn>>>,
    done: Condvar,
}

impl LocalColumns {
    /// Returns the columns of a table, or none if they are not known yet.
    pub(crate) fn of(
        &self,
        config: &LocalTableConfig,
        context: StatementContext,
    ) -> Vec<KnownColumn> {
        let metadata = std::fs::metadata(&config.path).ok();
        let stamp = metadata.map(|metadata| (metadata.len(), metadata.modified().ok()));
        let (looked, patience) = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            match tables.get(&config.name) {
                Some(looked) if looked.stamp == stamp => (Arc::clone(looked), Duration::ZERO),
                _ => {
                    let columns = Mutex::new(None);
                    let looked = Arc::new(Looked { stamp, columns, done: Condvar::new() });
                    tables.insert(config.name.clone(), Arc::clone(&looked));
                    self.look(config.clone(), context, Arc::clone(&looked));
                    (looked, PATIENCE)
                }
            }
        };
        let columns = looked.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = looked.done.wait_timeout_while(columns, patience, |columns| columns.is_none());
        let (columns, _) = waited.unwrap_or_else(PoisonError::into_inner);
        columns.clone().unwrap_or_default()
    }

    /// Looks a file through on a thread.
    fn look(&self, config: LocalTableConfig, mut context: StatementContext, looked: Arc<Looked>) {
        context.cancel = self.cancel.clone();
        let runtime = context.runtime.clone();
        let _looking = runtime.spawn_blocking(move || {
            let table = LocalTable::open(&config, Arc::new(context));
            let columns = table.map(|table| known_columns(table.columns())).unwrap_or_default();
            *looked.columns.lock().unwrap_or_else(PoisonError::into_inner) = Some(columns);
            looked.done.notify_all();
        });
    }
}

impl Drop for LocalColumns {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
