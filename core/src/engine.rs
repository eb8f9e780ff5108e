//! Runs statements: text, syntax tree, engine's plan, rows.
//! `execute` tells the story in one chain; planning and running happen on threads of the engine's
//! own, which have the stack that the deepest accepted query needs.

mod blame;
pub(crate) mod completing;
mod connections;
mod constants;
mod culprit;
mod explained;
pub(crate) mod listing;
mod outcome;
mod phrases;
mod plan;
mod settings;
mod unknown;
pub(crate) mod words;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use chrono_tz::Tz;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use sessionql_grammar::ast::{Expr, Query, ShowKind, Statement, StatementKind};
use tokio::runtime::Runtime;

use crate::cache::{Cache, CacheSize, CacheUse};
use crate::catalog::StatementTables;
use crate::complete::LocalColumns;
use crate::config::{Config, Secrets};
use crate::error::Error;
use crate::functions::{self, Function};
use crate::geo::Places;
use crate::http::RequestBudget;
use crate::last::LastResult;
use crate::lookup::KeyLimits;
use crate::parameters::{self, Moment, Parameters};
use crate::plugin::{HostCommand, PluginPath};
use crate::statement::StatementContext;
pub use completing::Completer;
pub use connections::Connections;
pub use listing::type_word;
pub use outcome::{Outcome, Warning};
pub use settings::RunSettings;

/// The stack of the threads that plan and run queries.
const STACK_BYTES: usize = 64 << 20;

/// What an engine gets from outside.
#[derive(Clone)]
pub struct EngineOptions {
    /// Where plugins are looked for.
    pub plugin_path: PluginPath,
    /// How references to secrets are resolved.
    pub secrets: Secrets,
    /// The clock; serves horizons and token life, and `now()` where no other instant is given.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// How many keys a join asks for at a time.
    pub keys: KeyLimits,
    /// How many threads a query may use; as many as the machine has if not given.
    pub threads: Option<usize>,
    /// Whether connections have the rows that [`crate::fixture`] gives them, and none else: no
    /// provider is asked then.
    pub reads_fixtures: bool,
    /// What isolated plugins are run in; without it, a connection that asks for isolation is refused.
    pub plugin_host: Option<HostCommand>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            plugin_path: PluginPath::default(),
            secrets: Secrets::default(),
            clock: Arc::new(Utc::now),
            keys: KeyLimits::default(),
            threads: None,
            reads_fixtures: false,
            plugin_host: None,
        }
    }
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EngineOptions").field("plugin_path", &self.plugin_path).finish()
    }
}

/// What holds for one statement alone.
#[derive(Debug, Clone, Default)]
pub struct ExecuteOptions {
    /// The instant that `now()` means; the clock's if not given.
    pub now: Option<DateTime<Utc>>,
    /// What the clock showed when the statement began; looked at if not given.
    pub clock: Option<DateTime<Utc>>,
    /// How long the statement may take.
    pub timeout: Option<Duration>,
    /// How many data requests the statement may send.
    pub max_requests: Option<u64>,
    /// The values of parameters; those of `SET $name` count more.
    pub parameters: Parameters,
}

/// Runs statements over the connections of a configuration.
pub struct Engine {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

/// What statements share.
struct Shared {
    connections: Arc<Connections>,
    settings: Mutex<RunSettings>,
    options: EngineOptions,
    memory_limit_bytes: usize,
    state: SessionState,
    /// The same with the rules of the zone that was asked for last.
    zoned: Mutex<Option<(Tz, SessionState)>>,
    last: Mutex<Option<Arc<LastResult>>>,
    cache: Arc<Cache>,
    usual_cache_ttl: Duration,
    local_columns: LocalColumns,
    places: Arc<Places>,
}

impl Engine {
    /// Returns an engine. Loads no plugin and opens no connection.
    ///
    /// # Errors
    /// [`Error::Internal`] if the system gives no threads or no memory pool.
    pub fn new(config: Config, options: EngineOptions) -> Result<Self, Error> {
        let internal = |error: String| Error::internal(error);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("sessionql")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| internal(error.to_string()))?;
        let memory_limit_bytes = config.settings.memory_limit_bytes;
        let environment = RuntimeEnvBuilder::new()
            .with_memory_limit(memory_limit_bytes, 1.0)
            .build_arc()
            .map_err(|error| internal(error.to_string()))?;
        let settings = Mutex::new(RunSettings::new(&config.settings));
        let usual_cache_ttl = config.settings.cache_ttl;
        let places = Arc::new(Places::new(config.geoip.clone()));
        let state = plan::base_state(environment, &options, &places);
        let connections = Arc::new(Connections::new(config, &options));
        let shared = Shared {
            connections,
            settings,
            options,
            memory_limit_bytes,
            state,
            zoned: Mutex::new(None),
            last: Mutex::default(),
            cache: Arc::default(),
            usual_cache_ttl,
            local_columns: LocalColumns::default(),
            places,
        };
        Ok(Self { shared: Arc::new(shared), runtime: Some(runtime) })
    }

    /// Parses a script into its statements. Nothing is looked up.
    ///
    /// # Errors
    /// [`Error::Syntax`].
    pub fn parse(&self, text: &str) -> Result<Vec<Statement>, Error> {
        Ok(sessionql_grammar::parse(text)?)
    }

    /// Runs one statement of `text`. Rows arrive through the outcome as they come.
    ///
    /// # Errors
    /// Whatever is wrong before the first row is asked for: names, types, configuration, plugins.
    pub async fn execute(
        &self,
        text: &str,
        statement: &Statement,
        options: &ExecuteOptions,
    ) -> Result<Outcome, Error> {
        // One look at the clock, so that `$now` and `now()` are the same instant.
        let clock = options.clock.unwrap_or_else(|| self.clock());
        let options = &ExecuteOptions { clock: Some(clock), ..options.clone() };
        match &statement.kind {
            StatementKind::Query(query) => {
                let constants = self.bind(text, statement, options)?;
                self.ask(text, query, constants, Purpose::Rows, options).await
            }
            StatementKind::Explain { analyze, query } => {
                let purpose = if *analyze { Purpose::Analysis } else { Purpose::Explanation };
                let constants = self.bind(text, statement, options)?;
                self.ask(text, query, constants, purpose, options).await
            }
            StatementKind::Describe(name) => {
                let context = Arc::new(self.context(options)?);
                let tables = StatementTables::new(&self.shared.connections, context);
                listing::describe(&tables, name)
            }
            StatementKind::Show(ShowKind::Parameters) => {
                let moment = self.moment(options);
                let given = self.given(options);
                listing::parameters(parameters::listed(text, &given, moment)?)
            }
            StatementKind::Show(kind) => self.show(kind),
            StatementKind::SetParameter { name, value } => {
                parameters::check_set(&name.value, value, name.span, self.moment(options))?;
                self.settings().parameters.set(&name.value, value);
                Ok(Outcome::empty())
            }
            StatementKind::Set { name, value } => {
                self.settings().set(name, value)?;
                Ok(Outcome::empty())
            }
        }
    }

    /// Returns the settings of this run, to be looked at or changed.
    pub fn settings(&self) -> std::sync::MutexGuard<'_, RunSettings> {
        self.shared.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a result: the table `_` means it from now on.
    pub fn set_last(&self, last: LastResult) {
        *self.shared.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(last));
    }

    /// Returns the result that `_` means, if there is one.
    pub fn last(&self) -> Option<Arc<LastResult>> {
        self.shared.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the connections.
    pub fn connections(&self) -> &Connections {
        &self.shared.connections
    }

    /// Forgets the answers that are kept. They are kept only while a setting says for how long.
    pub fn clear_cache(&self) {
        self.shared.cache.clear();
    }

    /// Returns what is kept of answers.
    pub fn cache_size(&self) -> CacheSize {
        self.shared.cache.size()
    }

    /// Returns how long the configuration lets a prompt keep answers.
    pub fn usual_cache_ttl(&self) -> Duration {
        self.shared.usual_cache_ttl
    }

    /// Returns the functions that a query can call, by name.
    pub fn functions(&self) -> Vec<Function> {
        functions::listed(&self.shared.state)
    }

    /// Returns what the clock shows.
    pub fn clock(&self) -> DateTime<Utc> {
        (self.shared.options.clock)()
    }

    /// Checks the parameters of a whole text before any of its statements runs. Returns the names
    /// that it knows.
    ///
    /// # Errors
    /// [`Error::Parameters`], with everything that is wrong.
    pub fn check_parameters(
        &self,
        text: &str,
        statements: &[Statement],
        options: &ExecuteOptions,
    ) -> Result<BTreeSet<String>, Error> {
        parameters::check(text, statements, &self.given(options), self.moment(options))
    }

    fn given(&self, options: &ExecuteOptions) -> Parameters {
        let mut given = options.parameters.clone();
        given.extend(&self.settings().parameters);
        given
    }

    fn moment(&self, options: &ExecuteOptions) -> Moment {
        let now = options.now.or(options.clock).unwrap_or_else(|| self.clock()).trunc_subsecs(6);
        let settings = self.settings();
        let (time_zone, since, until) = (settings.time_zone, settings.since, settings.until);
        Moment { now, time_zone, since, until }
    }

    /// Returns the constants of the parameters that a statement names.
    fn bind(
        &self,
        text: &str,
        statement: &Statement,
        options: &ExecuteOptions,
    ) -> Result<HashMap<String, Expr>, Error> {
        if !statement.span.of(text).contains(['$', '{']) {
            return Ok(HashMap::new());
        }
        parameters::bind(text, statement, &self.given(options), self.moment(options))
    }

    /// Plans a query and does with it what it is planned for.
    async fn ask(
        &self,
        text: &str,
        query: &Query,
        constants: HashMap<String, Expr>,
        purpose: Purpose,
        options: &ExecuteOptions,
    ) -> Result<Outcome, Error> {
        let mut context = self.context(options)?;
        context.is_only_explained = purpose == Purpose::Explanation;
        let context = Arc::new(context);
        let (shared, text, query) = (Arc::clone(&self.shared), text.to_owned(), query.clone());
        let timeout = options.timeout;
        let planned = Arc::clone(&context);
        // Planning looks through local tables; who stops waiting ends that too.
        let unless_planned = context.cancel.clone().drop_guard();
        let on_big_stack = async move {
            let prepared = plan::prepare(&shared, &context, &text, &query, constants).await?;
            let limit_bytes = shared.memory_limit_bytes;
            match purpose {
                Purpose::Rows => Ok(outcome::of_query(prepared, &context, timeout, limit_bytes)),
                Purpose::Explanation => Ok(explained::explain(prepared, &context)),
                Purpose::Analysis => {
                    Ok(explained::analyze(prepared, &context, timeout, limit_bytes))
                }
            }
        };
        let prepared = AbortOnDrop(self.runtime()?.spawn(on_big_stack));
        let outcome = tokio::select! {
            biased;
            outcome = prepared => outcome,
            () = planned.plugin_hangs(timeout.unwrap_or_default()) => Err(Error::Cancelled),
        };
        let outcome = match outcome {
            Err(Error::Cancelled) if planned.is_over() => {
                Err(planned.timed_out(timeout.unwrap_or_default()))
            }
            outcome => outcome,
        };
        let _ready = unless_planned.disarm();
        outcome
    }

    fn show(&self, kind: &ShowKind) -> Result<Outcome, Error> {
        match kind {
            ShowKind::Connections => listing::connections(&self.shared.connections),
            ShowKind::Plugins => listing::plugins(&self.shared.connections),
            ShowKind::Tables => listing::tables(&self.shared.connections),
            ShowKind::Functions => listing::functions(&self.functions()),
            ShowKind::Parameters => listing::parameters(Vec::new()),
            ShowKind::Setting(name) => {
                let value = self.settings().get(name)?;
                listing::setting(&name.normalized(), &value)
            }
        }
    }

    fn context(&self, options: &ExecuteOptions) -> Result<StatementContext, Error> {
        let clock = options.clock.unwrap_or_else(|| self.clock());
        // Instants of the language have microseconds.
        let now = options.now.unwrap_or(clock).trunc_subsecs(6);
        let mut context = StatementContext::new(now, clock, self.runtime()?.handle().clone());
        context.underway = self.shared.connections.underway().clone();
        context.pushes_filters = self.settings().pushdown;
        context.last = self.last();
        let cache_ttl = self.settings().cache_ttl.filter(|_| context.pushes_filters);
        context.cache = cache_ttl.map(|ttl| CacheUse::new(&self.shared.cache, ttl));
        context.deadline = options.timeout.map(|timeout| tokio::time::Instant::now() + timeout);
        context.budget = options.max_requests.map(|limit| Arc::new(RequestBudget::new(limit)));
        Ok(context)
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        self.runtime.as_ref().ok_or_else(|| Error::internal("the engine has ended"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Scans that still wait for a provider end by themselves; nobody waits for them.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Engine")
    }
}

/// What a query is planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To yield its rows.
    Rows,
    /// To be explained; nothing is sent.
    Explanation,
    /// To be explained after it has run.
    Analysis,
}

/// Planning on a thread of the engine; ends with whoever waits for it.
struct AbortOnDrop<T>(tokio::task::JoinHandle<Result<T, Error>>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, Error>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context).map(|joined| match joined {
            Ok(result) => result,
            Err(error) => Err(Error::internal(error.to_string())),
        })
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
