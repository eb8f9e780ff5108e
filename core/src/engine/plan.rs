//! From a query's syntax tree to the engine's physical plan.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::{DataFusionError, Location, SchemaError};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement as EngineStatement;
use sessionql_grammar::ast::{Expr, Query, Span};

use super::blame::{Search, Trial};
use super::constants;
use super::culprit::{self, Culprits};
use super::phrases::{Said, rephrase};
use super::unknown;
use super::words::sentence;
use super::{EngineOptions, RunSettings, Shared, Warning};
use crate::asof::AsofPlanner;
use crate::catalog::StatementTables;
use crate::error::Error;
use crate::functions::{self, MonthsWithDuration};
use crate::geo::{NoPlaces, Places};
use crate::lower::{self, Lowered};
use crate::rules::{
    AsofFilters, AsofJoins, AsofProblem, BindJoins, CalendarIntervals, CorrelatedQueries,
    DurationSeconds, ExactNumbers, MissingRows, NotATime, QueryZone, ShareScans, TimeLiterals,
    ValueLists, scans_that_may_turn_wrong,
};
use crate::statement::StatementContext;

/// How long the place of a mistake is searched for.
const SEARCH: Duration = Duration::from_secs(3);

/// The one catalog of a statement.
const CATALOG: &str = "sessionql";

/// A query that is ready to run.
pub(super) struct Prepared {
    /// What to run.
    pub(super) plan: Arc<dyn ExecutionPlan>,
    /// What to run it in.
    pub(super) state: SessionState,
    /// What the user should know of the query itself.
    pub(super) warnings: Vec<Warning>,
    /// The scans that, if incomplete, may make the result wrong.
    pub(super) not_monotone: HashSet<usize>,
    /// The tables that the query names, by connection and table.
    pub(super) tables: Vec<(String, String)>,
    /// The query's zone.
    pub(super) time_zone: Tz,
    /// The expressions that values of rows may break.
    pub(super) culprits: Culprits,
}

/// Returns the state that all statements begin with.
pub(super) fn base_state(
    environment: Arc<RuntimeEnv>,
    engine_options: &EngineOptions,
    places: &Arc<Places>,
) -> SessionState {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, "main")
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    if let Some(threads) = engine_options.threads {
        config = config.with_target_partitions(threads);
    }
    let options = config.options_mut();
    options.execution.time_zone = Some("UTC".to_owned());
    options.sql_parser.collect_spans = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    // A round-robin step above a scan reads ahead of what is wanted, and that costs requests.
    options.optimizer.enable_round_robin_repartition = false;
    let mut physical_rules = BindJoins::among_rules(engine_options.keys);
    physical_rules.push(Arc::new(ShareScans));
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(environment)
        .with_default_features()
        .with_query_planner(Arc::new(AsofPlanner))
        .with_optimizer_rules(AsofFilters::among_rules())
        .with_physical_optimizer_rules(physical_rules)
        .build();
    let geoip = functions::geoip(Arc::clone(places));
    for function in functions::scalar_functions().into_iter().chain([geoip]) {
        // Registering replaces; there is nothing to undo.
        let _replaced = datafusion::logical_expr::registry::FunctionRegistry::register_udf(
            &mut state, function,
        );
    }
    for function in functions::aggregate_functions() {
        let _replaced = datafusion::logical_expr::registry::FunctionRegistry::register_udaf(
            &mut state, function,
        );
    }
    for function in functions::window_functions() {
        let _replaced = datafusion::logical_expr::registry::FunctionRegistry::register_udwf(
            &mut state, function,
        );
    }
    let mut planners = functions::expr_planners();
    planners.extend(state.expr_planners().iter().cloned());
    SessionStateBuilder::new_from_existing(state).with_expr_planners(planners).build()
}

/// Lowers and plans a query. Of an error without a place, the place is found out.
///
/// # Errors
/// Whatever is wrong before the first request: names, types, constants, configuration, plugins.
pub(super) async fn prepare(
    shared: &Shared,
    context: &Arc<StatementContext>,
    text: &str,
    query: &Query,
    parameters: HashMap<String, Expr>,
) -> Result<Prepared, Error> {
    let began = Instant::now();
    let planned = match plan(shared, context, text, query, parameters.clone(), false).await {
        // Of tables with all their columns more can be told.
        Err(Error::Query { .. }) => {
            plan(shared, context, text, query, parameters.clone(), true).await
        }
        planned => planned,
    };
    match planned {
        Err(Error::Query { message, span: None, hint }) => {
            let mut search = Search::new(text, query);
            // Planning may take long, as where a large local file is looked through.
            while began.elapsed() < SEARCH
                && let Some(Trial { text, query }) = search.next_trial()
            {
                match plan(shared, context, &text, &query, parameters.clone(), true).await {
                    Ok(_) => search.clear(),
                    Err(Error::Query { message: again, .. }) if again == message => {}
                    Err(_) => search.suspect(),
                }
            }
            let span = Some(search.place(&message));
            Err(Error::Query { message, span, hint })
        }
        planned => planned,
    }
}

async fn plan(
    shared: &Shared,
    context: &Arc<StatementContext>,
    text: &str,
    query: &Query,
    parameters: HashMap<String, Expr>,
    with_all_columns: bool,
) -> Result<Prepared, Error> {
    let settings =
        shared.settings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let tables = StatementTables::new(&shared.connections, Arc::clone(context));
    let parameters = (parameters, with_all_columns);
    let lowered = lower_query(shared, context, &settings, &tables, (text, query), parameters);
    if let Some(failure) = tables.take_failure() {
        return Err(failure);
    }
    let Lowered { statement, strings, months, warnings, has_lifetimes } = lowered?;
    context.counts_reversed.store(has_lifetimes, Ordering::Relaxed);
    let refused =
        |error| planning_error(shared, context, (text, query), (&strings, &months), error);
    let catalogs = MemoryCatalogProviderList::new();
    let catalog = tables.catalog().map_err(refused)?;
    datafusion::catalog::CatalogProviderList::register_catalog(
        &catalogs,
        CATALOG.to_owned(),
        Arc::new(catalog),
    );
    let time_zone = settings.time_zone;
    let mut state = zoned_state(shared, time_zone);
    state.register_catalog_list(Arc::new(catalogs));
    let statement = EngineStatement::Statement(Box::new(statement));
    let logical = state.statement_to_plan(statement).await.map_err(refused)?;
    let optimised = state.optimize(&logical).map_err(refused)?;
    constants::check(query, &optimised, &state).map_err(refused)?;
    let planner = Arc::clone(state.query_planner());
    let plan = planner.create_physical_plan(&optimised, &state).await.map_err(refused)?;
    let not_monotone = scans_that_may_turn_wrong(&plan);
    let of_query = warnings.into_iter().map(|lower::Warning { message, span, hint, lint }| {
        Warning { message, span: Some(span), hint, lint }
    });
    let of_connections = tables.take_warnings().into_iter().map(Warning::new);
    let warnings = of_connections.chain(of_query).collect();
    let tables = tables.resolved();
    let culprits = culprit::find(text, query);
    Ok(Prepared { plan, state, warnings, not_monotone, tables, time_zone, culprits })
}

/// Returns the base state with the rules that a query in a zone is analysed by. It is kept for the
/// next query, because building one takes longer than planning a small query.
fn zoned_state(shared: &Shared, time_zone: Tz) -> SessionState {
    let mut zoned = shared.zoned.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((zone, state)) = zoned.as_ref()
        && *zone == time_zone
    {
        return state.clone();
    }
    // Literals first, while the types that they meet are still those of the query; casts after the
    // engine's coercion has made them.
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![
        Arc::new(AsofJoins),
        Arc::new(CalendarIntervals),
        Arc::new(TimeLiterals { time_zone }),
    ];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(QueryZone { time_zone }));
    rules.push(Arc::new(DurationSeconds));
    rules.push(Arc::new(ExactNumbers));
    rules.push(Arc::new(ValueLists));
    rules.push(Arc::new(CorrelatedQueries));
    rules.push(Arc::new(MissingRows));
    let state = SessionStateBuilder::new_from_existing(shared.state.clone())
        .with_analyzer_rules(rules)
        .build();
    *zoned = Some((time_zone, state.clone()));
    state
}

/// Lowers a query, with the window of the run if that is for what it reads.
fn lower_query(
    shared: &Shared,
    context: &StatementContext,
    settings: &RunSettings,
    tables: &StatementTables<'_>,
    (text, query): (&str, &Query),
    (parameters, with_all_columns): (HashMap<String, Expr>, bool),
) -> Result<Lowered, lower::LowerError> {
    let mut meant_for = lower::Context {
        text,
        tables,
        now: context.now,
        time_zone: settings.time_zone,
        since: settings.since,
        until: settings.until,
        parameters,
        functions: &EngineFunctions { state: &shared.state, places: &shared.places },
        with_all_columns,
    };
    let lowered = lower::lower(query, &meant_for);
    let has_window = settings.since.is_some() || settings.until.is_some();
    if has_window && tables.is_last_alone() {
        // The last result was read with a window; another one takes rows away that nobody misses.
        (meant_for.since, meant_for.until) = (None, None);
        return lower::lower(query, &meant_for);
    }
    lowered
}

/// The functions of the engine, and those that only lowering knows.
struct EngineFunctions<'a> {
    state: &'a SessionState,
    places: &'a Places,
}

impl lower::Functions for EngineFunctions<'_> {
    fn has(&self, name: &str) -> bool {
        let state = self.state;
        if functions::OPERATORS.contains(&name) {
            return false;
        }
        name == "unnest"
            || name == functions::FIRST_SEEN
            || state.scalar_functions().contains_key(name)
            || state.aggregate_functions().contains_key(name)
            || state.window_functions().contains_key(name)
    }

    fn is_aggregate(&self, name: &str) -> bool {
        self.state.aggregate_functions().contains_key(name)
    }

    fn lack(&self, name: &str) -> Option<lower::Lack> {
        if name != functions::GEOIP {
            return None;
        }
        let NoPlaces { message, hint } = self.places.load().err()?;
        Some(lower::Lack { message, hint })
    }

    fn names(&self) -> Vec<String> {
        let state = self.state;
        let scalars = state.scalar_functions().keys();
        let names = scalars.chain(state.aggregate_functions().keys());
        let names = names.chain(state.window_functions().keys()).map(String::as_str);
        // Some of ours only lowering knows.
        let ours = functions::DESCRIBED.iter().map(|function| function.name);
        let is_internal = |name: &&str| functions::INTERNAL.contains(name);
        names.filter(|name| !is_internal(name)).chain(ours).map(str::to_owned).collect()
    }
}

/// Returns what the engine said of a query in our words, with its place in the text.
fn planning_error(
    shared: &Shared,
    context: &StatementContext,
    (text, query): (&str, &Query),
    (strings, months): (&HashMap<String, Vec<Span>>, &[Span]),
    error: DataFusionError,
) -> Error {
    let failure = context.planning_failure.lock().ok().and_then(|mut failure| failure.take());
    if let Some(failure) = failure {
        return shared.connections.with_file(failure);
    }
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span).map(|span| {
        let at = |location: Location| byte_offset(text, location.line, location.column);
        Span { start: at(span.start), end: at(span.end) }
    });
    let root = error.find_root();
    if let DataFusionError::External(external) = root
        && let Some(NotATime { text: literal }) = external.downcast_ref::<NotATime>()
    {
        let span = strings.get(literal).and_then(|spans| spans.first().copied());
        let message = external.to_string();
        return Error::Query { message, span, hint: Some(lower::TIMES_ARE_WRITTEN.to_owned()) };
    }
    if let DataFusionError::External(external) = root
        && let Some(AsofProblem { message, span }) = external.downcast_ref::<AsofProblem>()
    {
        return Error::Query { message: message.clone(), span: Some(*span), hint: None };
    }
    if let DataFusionError::External(external) = root
        && external.is::<MonthsWithDuration>()
    {
        let span = months.first().copied();
        return Error::Query { message: external.to_string(), span, hint: None };
    }
    let Said { message, hint } = match root {
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                unknown::column(field, valid_fields, (text, query), span)
            }
            SchemaError::AmbiguousReference { field } => Said {
                message: format!("column `{}` is in several tables", field.name),
                hint: Some(format!("write its table before it, as in `t.{}`", field.name)),
            },
            _ => rephrase(&sentence(root)),
        },
        _ => rephrase(&sentence(root)),
    };
    Error::Query { message, span, hint }
}

/// Returns the byte offset of a line and column, both counted from 1, columns in characters.
fn byte_offset(text: &str, line: u64, column: u64) -> usize {
    let line_idx = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let column_idx = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut begin = 0;
    for (idx, line) in text.split_inclusive('\n').enumerate() {
        if idx == line_idx {
            let in_line = line.char_indices().nth(column_idx).map_or(line.len(), |(at, _)| at);
            return begin + in_line;
        }
        begin += line.len();
    }
    text.len()
}
