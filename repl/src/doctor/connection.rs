//! Looks at one connection: its options, its secrets, and whether its provider answers.

use std::time::{Duration, Instant};

use sessionql_core::completeness::Completeness;
use sessionql_core::config::OptionSource;
use sessionql_core::{Engine, Error, ExecuteOptions, duration};

use super::Finding;

/// A clock that is further off than this makes windows and tokens wrong.
const MOST_CLOCK_SKEW_S: u64 = 60;

/// How many data requests are sent at most; one that is refused for its token is sent again.
const MOST_REQUESTS: u64 = 2;

/// What came of a statement.
pub(super) struct Asked {
    pub(super) n_rows: usize,
    completeness: Completeness,
    elapsed: Duration,
}

/// Looks at a connection, and asks its provider if it may, for so long.
pub(super) async fn look(
    engine: &Engine,
    name: &str,
    asks: Option<Duration>,
    findings: &mut Vec<Finding>,
) {
    let subject = format!("connection {name}");
    let connection = match engine.connections().open(name) {
        Ok(Some(connection)) => connection,
        Ok(None) => return,
        // A plugin that cannot be used is told of already.
        Err(Error::Plugin { plugin, .. }) if engine.connections().plugin(&plugin).is_err() => {
            let message = "its plugin cannot be used, so it was not looked at";
            findings.push(Finding::error(subject, message));
            return;
        }
        Err(error) => {
            findings.push(Finding::of(&subject, &error));
            return;
        }
    };
    let manifest = &connection.managed.plugin().manifest;
    let written_out = connection.config.options.iter().find(|(key, value)| {
        let is_secret = manifest.options.iter().any(|option| option.name == **key && option.secret);
        is_secret && matches!(value.value, OptionSource::Inline(_))
    });
    if let Some((key, _)) = written_out {
        let finding = Finding::warning(&*subject, format!("`{key}` is written out in the file"));
        findings.push(
            finding.with_hint(format!("write `{key} = {{ env = \"…\" }}` or `{{ file = \"…\" }}`")),
        );
    }
    if connection.config.insecure_tls {
        let finding = Finding::warning(&*subject, "certificates are not checked (`insecure_tls`)");
        findings.push(finding.with_hint("name the certificate's authority with `ca_file`"));
    }
    if connection.has_client()
        && let Err(error) = connection.client()
    {
        findings.push(Finding::of(&subject, &error));
        return;
    }
    let Some(patience) = asks else {
        findings.push(Finding::ok(subject, "options and secrets are there; nothing was sent"));
        return;
    };
    let Some(table) = connection.main_table().or(connection.tables.first()) else { return };
    let Some(column) = table.columns.iter().find(|column| !column.hidden) else { return };
    // Who is connected now is the least that a provider of sessions can be asked for.
    let window = if table.time.is_some() { " AT now" } else { "" };
    let (table, column) = (&table.name, &column.name);
    let sql = format!("SELECT \"{column}\" FROM \"{name}\".\"{table}\"{window} LIMIT 1");
    match ask(engine, &sql, Some(patience)).await {
        Ok(asked) => {
            let sent = asked.completeness.connections.iter();
            let n_requests: u64 = sent.map(|report| report.n_requests).sum();
            let (plural, elapsed) =
                (if n_requests == 1 { "" } else { "s" }, duration::human(whole_ms(asked.elapsed)));
            let message = format!("answers: {n_requests} request{plural}, {elapsed}");
            findings.push(Finding::ok(&*subject, message));
        }
        Err(error) => findings.push(Finding::of(&subject, &error)),
    }
    let client = connection.has_client().then(|| connection.client().ok()).flatten();
    let skew_s = client.and_then(sessionql_core::http::Client::clock_ahead_s);
    findings.extend(skew_s.and_then(|ahead_s| clock(&subject, ahead_s)));
}

/// Returns what is to be said of a clock that is so far ahead.
fn clock(subject: &str, ahead_s: i64) -> Option<Finding> {
    let off_s = ahead_s.unsigned_abs();
    if off_s <= MOST_CLOCK_SKEW_S {
        return None;
    }
    let (off, way) = (
        duration::human(Duration::from_secs(off_s)),
        if ahead_s > 0 { "ahead of" } else { "behind" },
    );
    let finding =
        Finding::warning(subject, format!("the server's clock is {off} {way} this machine's"));
    Some(finding.with_hint("set this machine's clock, or the server's"))
}

/// Runs a statement to its end.
pub(super) async fn ask(
    engine: &Engine,
    sql: &str,
    timeout: Option<Duration>,
) -> Result<Asked, Error> {
    let began = Instant::now();
    let max_requests = Some(MOST_REQUESTS);
    let options = ExecuteOptions { timeout, max_requests, ..ExecuteOptions::default() };
    let mut asked =
        Asked { n_rows: 0, completeness: Completeness::default(), elapsed: Duration::ZERO };
    for statement in engine.parse(sql)? {
        let mut outcome = engine.execute(sql, &statement, &options).await?;
        while let Some(rows) = outcome.next().await {
            asked.n_rows += rows?.num_rows();
        }
        asked.completeness = outcome.completeness();
    }
    asked.elapsed = began.elapsed();
    Ok(asked)
}

/// Leaves out what is less than a millisecond.
fn whole_ms(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told() {
        assert!(clock("connection a", 60).is_none());
        let finding = clock("connection a", -90).unwrap();
        assert_eq!(finding.message, "the server's clock is 1m30s behind this machine's");
    }
}
