//! Looks whether everything is fit for use, and says what to do where it is not: what
//! `sessionql doctor` does.
//! In: the configuration, plugins, connections. Out: a line for each thing that was looked at, and 1
//! if one of them is wrong. Each connection is asked for one session with as few requests as there
//! can be; secrets are resolved and never printed.

mod connection;

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sessionql_core::display::escape_controls;
use sessionql_core::geo::PlaceFile;
use sessionql_core::{Engine, Error};

use crate::cli::{Arguments, DoctorArguments, TestFormat};
use crate::exit::Exit;
use crate::report::Reporter;
use crate::usage::Refusal;

/// How long a connection may take if nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    status: Status,
    /// What was looked at, such as `connection openvpn`.
    subject: String,
    message: String,
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Ok,
    Warning,
    Error,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Finding {
    fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        let (subject, message) = (subject.into(), message.into());
        Self { status: Status::Ok, subject, message, hint: None }
    }

    fn warning(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: Status::Warning, ..Self::ok(subject, message) }
    }

    fn error(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: Status::Error, ..Self::ok(subject, message) }
    }

    /// Returns what the engine says of a subject.
    fn of(subject: &str, error: &Error) -> Self {
        let message = error.to_string();
        // The subject is told already.
        let prefix = subject.split_once(' ').map(|(kind, name)| format!("{kind} `{name}`: "));
        let message =
            prefix.as_ref().and_then(|prefix| message.strip_prefix(prefix)).unwrap_or(&message);
        Self { hint: error.hint(), ..Self::error(subject, message) }
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Looks at everything.
///
/// # Errors
/// [`Error::Internal`] if the system gives no threads.
pub(crate) fn run(
    doctor: &DoctorArguments,
    arguments: &Arguments,
    reporter: Reporter,
) -> Result<Exit, Error> {
    let runtime = crate::runtime()?;
    let mut findings = Vec::new();
    if let Some(engine) = configuration(arguments, &mut findings) {
        plugins(&engine, &mut findings);
        runtime.block_on(async {
            for table in engine.connections().local_tables() {
                findings.push(local_table(&engine, &table.name).await);
            }
            let patience = doctor.connection_timeout.unwrap_or(PATIENCE);
            for name in engine.connections().names() {
                let asks = (!doctor.offline).then_some(patience);
                connection::look(&engine, &name, asks, &mut findings).await;
            }
        });
    }
    let worst = findings.iter().map(|finding| finding.status).max();
    let exit = if worst == Some(Status::Error) { Exit::Unexpected } else { Exit::Success };
    let told = match doctor.doctor_format {
        TestFormat::Text => text(&findings),
        TestFormat::Json => format!("{}\n", object(&findings)),
    };
    let written = io::stdout().write_all(told.as_bytes()).and_then(|()| io::stdout().flush());
    Ok(match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let refusal = Refusal::new(format!("the findings cannot be written: {error}"));
            reporter.show(&refusal.into());
            Exit::Failed
        }
        _ => exit,
    })
}

/// Looks at the configuration; returns an engine if there is one that can be read.
fn configuration(arguments: &Arguments, findings: &mut Vec<Finding>) -> Option<Engine> {
    const SUBJECT: &str = "configuration";
    let config = match crate::load_config(arguments) {
        Ok(config) => config,
        Err(error) => {
            findings.push(Finding::of(SUBJECT, &error));
            return None;
        }
    };
    let Some(file) = config.file.clone() else {
        let place = crate::environment::default_config_file();
        let place = place.map_or("a file".to_owned(), |place| format!("`{}`", place.display()));
        let finding = Finding::warning(SUBJECT, "there is none, so there is nothing to query");
        findings.push(finding.with_hint(format!("write {place}, or name one with `--config`")));
        return None;
    };
    let n_connections = config.connections.len();
    let plural = if n_connections == 1 { "" } else { "s" };
    let message = format!("{}, {n_connections} connection{plural}", file.display());
    findings.push(match writable_by_others(&file) {
        Some(true) => Finding::error(SUBJECT, format!("{}: others can write it", file.display()))
            .with_hint("whoever writes it can send secrets elsewhere: `chmod go-w` it"),
        _ => Finding::ok(SUBJECT, message),
    });
    findings.extend(config.geoip.files.iter().map(|file| places(file)));
    match Engine::new(config, crate::engine_options(arguments)) {
        Ok(engine) => Some(engine),
        Err(error) => {
            findings.push(Finding::of("engine", &error));
            None
        }
    }
}

/// Looks at a database of places.
fn places(file: &Path) -> Finding {
    const SUBJECT: &str = "places";
    match PlaceFile::read(file) {
        Ok(places) => {
            let built = places.built().map(|built| format!(" of {}", built.format("%Y-%m-%d")));
            let (file, kind) = (file.display(), places.kind());
            Finding::ok(SUBJECT, format!("{file}, {kind}{}", built.unwrap_or_default()))
        }
        Err(message) => Finding::error(SUBJECT, message),
    }
}

/// Tells whether others than the owner may write a file, where the system can tell.
#[cfg(unix)]
fn writable_by_others(file: &Path) -> Option<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(file).ok()?;
    Some(metadata.permissions().mode() & 0o022 != 0)
}

/// Tells whether others than the owner may write a file: not known on this system.
#[cfg(not(unix))]
fn writable_by_others(_file: &Path) -> Option<bool> {
    None
}

/// Looks at the plugins that connections name.
fn plugins(engine: &Engine, findings: &mut Vec<Finding>) {
    let mut names: Vec<&str> =
        engine.connections().configs().map(|config| config.plugin.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let subject = format!("plugin {name}");
        findings.push(match engine.connections().plugin(name) {
            Ok(plugin) => {
                let (version, file) = (&plugin.manifest.version, plugin.file.display());
                Finding::ok(subject, format!("{version}, {file}"))
            }
            Err(error) => Finding::of(&subject, &error),
        });
    }
}

/// Looks through the file of a local table.
async fn local_table(engine: &Engine, name: &str) -> Finding {
    let subject = format!("table {name}");
    match connection::ask(engine, &format!("DESCRIBE \"{name}\""), None).await {
        Ok(asked) => Finding::ok(subject, format!("{} columns", asked.n_rows)),
        Err(error) => Finding::of(&subject, &error),
    }
}

/// Returns the findings for people.
fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut lines = String::new();
    for Finding { status, subject, message, hint } in findings {
        let (word, message) = (status.word(), escape_controls(message));
        lines.push_str(&format!("{word:<7}  {subject:<width$}  {message}\n"));
        if let Some(hint) = hint {
            lines.push_str(&format!(
                "{:<7}  {:<width$}  hint: {}\n",
                "",
                "",
                escape_controls(hint)
            ));
        }
    }
    lines
}

/// Returns the findings as one object.
fn object(findings: &[Finding]) -> Value {
    let finding = |Finding { status, subject, message, hint }: &Finding| json!({ "status": status.word(), "subject": subject, "message": message, "hint": hint });
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    json!({
        "schema_version": 1,
        "errors": count(Status::Error),
        "warnings": count(Status::Warning),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
