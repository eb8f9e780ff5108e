//! Stands for a connection of `FROM sessions` that could not be asked: it yields no rows and says in
//! the report that they are missing.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::EmptyRecordBatchStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
    SendableRecordBatchStream,
};
use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::Gap;

use crate::config::ConnectionConfig;
use crate::error::Error;
use crate::http::Account;
use crate::statement::StatementContext;

/// The physical node.
#[derive(Debug)]
pub(crate) struct UnreadExec {
    id: usize,
    connection: String,
    accept: Vec<Reason>,
    gap: Gap,
    context: Arc<StatementContext>,
    properties: Arc<PlanProperties>,
}

impl UnreadExec {
    /// Returns the node for a connection that failed before it was asked.
    pub(crate) fn new(
        config: &ConnectionConfig,
        error: &Error,
        schema: &SchemaRef,
        context: &Arc<StatementContext>,
    ) -> Self {
        let reason = match error {
            Error::Config(_) => Reason::Config,
            Error::Scan { error, .. } => error.code,
            _ => Reason::PluginError,
        };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self {
            id: context.next_scan_id(),
            connection: config.name.clone(),
            accept: config.accept.clone(),
            gap: Gap { reason, message: error.to_string() },
            context: Arc::clone(context),
            properties,
        }
    }

    /// Returns the scan's number within its statement.
    pub(crate) fn id(&self) -> usize {
        self.id
    }
}

impl DisplayAs for UnreadExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UnreadExec: {} cannot be read: {}", self.connection, self.gap.message)
    }
}

impl ExecutionPlan for UnreadExec {
    fn name(&self) -> &str {
        "UnreadExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        _partition: usize,
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let ledger = &self.context.ledger;
        let account = Arc::new(Account::default());
        let entry = ledger.open(self.id, &self.connection, &self.accept, account);
        ledger.close(entry, vec![self.gap.clone()], Vec::new());
        // Nothing runs, so there is nothing to wait for.
        ledger.end(entry);
        Ok(Box::pin(EmptyRecordBatchStream::new(self.schema())))
    }
}
