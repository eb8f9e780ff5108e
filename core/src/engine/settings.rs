//! What `SET` changes and `SHOW` tells, for the statements of one run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sessionql_grammar::ast::{Expr, ExprKind, Ident, Literal};

use crate::config::{Settings, parse_time_zone};
use crate::error::{Error, did_you_mean, nearest};
use crate::parameters::Parameters;

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// The zone in which dates and times without offset are meant.
    pub time_zone: Tz,
    /// Whether filters are sent to providers; `off` serves to test that this changes no answer.
    pub pushdown: bool,
    /// How old answers may be that are given again; without it none are kept.
    pub cache_ttl: Option<Duration>,
    /// The begin of the window of every SELECT that has none of its own.
    pub since: Option<DateTime<Utc>>,
    /// The end of that window.
    pub until: Option<DateTime<Utc>>,
    /// The values of `SET $name`.
    pub(super) parameters: Parameters,
    memory_limit_bytes: usize,
}

/// The names of the settings.
pub(super) const NAMES: [&str; 3] = ["time_zone", "pushdown", "memory_limit"];

impl RunSettings {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            time_zone: settings.time_zone,
            pushdown: true,
            cache_ttl: None,
            since: None,
            until: None,
            parameters: Parameters::default(),
            memory_limit_bytes: settings.memory_limit_bytes,
        }
    }

    /// Returns a setting's value as text.
    pub(super) fn get(&self, name: &Ident) -> Result<String, Error> {
        match name.normalized().as_str() {
            "time_zone" => Ok(self.time_zone.name().to_owned()),
            "pushdown" => Ok(if self.pushdown { "on" } else { "off" }.to_owned()),
            "memory_limit" => Ok(format!("{}B", self.memory_limit_bytes)),
            other => Err(unknown(other, name)),
        }
    }

    /// Changes a setting.
    pub(super) fn set(&mut self, name: &Ident, value: &Expr) -> Result<(), Error> {
        let wrong = |message: String| Error::Query { message, span: Some(value.span), hint: None };
        let word = word(value);
        match name.normalized().as_str() {
            "time_zone" => {
                let zone = word.as_deref().and_then(parse_time_zone);
                self.time_zone = zone.ok_or_else(|| {
                    wrong("`time_zone` is a name such as `'UTC'` or `'Europe/Berlin'`".to_owned())
                })?;
            }
            "pushdown" => {
                self.pushdown = match word.as_deref() {
                    Some("on" | "true") => true,
                    Some("off" | "false") => false,
                    _ => return Err(wrong("`pushdown` is `on` or `off`".to_owned())),
                };
            }
            "memory_limit" => {
                let message = "`memory_limit` is set in `[settings]` of the configuration";
                return Err(wrong(message.to_owned()));
            }
            other => return Err(unknown(other, name)),
        }
        Ok(())
    }
}

fn unknown(found: &str, name: &Ident) -> Error {
    Error::Query {
        message: format!("no setting `{found}`"),
        span: Some(name.span),
        hint: did_you_mean(&nearest(found, NAMES))
            .or_else(|| Some(format!("settings are `{}`", NAMES.join("`, `")))),
    }
}

/// Returns a value as a word: a text, `true`, `false` or a bare name such as `off`.
fn word(value: &Expr) -> Option<String> {
    match &value.kind {
        ExprKind::Column(name) => match name.parts.as_slice() {
            [name] => Some(name.normalized()),
            _ => None,
        },
        ExprKind::Literal(Literal::Text(text)) => Some(text.clone()),
        ExprKind::Literal(Literal::Bool(flag)) => Some(flag.to_string()),
        _ => None,
    }
}
