//! What the prompt's `\set` changes: how rows are printed, what is asked before, how long it may take.
//! The command line sets the same for scripts, once. [`SETTINGS`] is the list of all settings: names,
//! meanings, how each is read and shown.

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum as _;
use sessionql_core::duration;

use crate::cli::{Arguments, Format};
use crate::render::Expanded;
use crate::usage::Refusal;

/// What holds for the statements of a run.
#[derive(Debug, Clone)]
pub(crate) struct Preferences {
    /// The format that was asked for; else a table on a terminal, csv elsewhere.
    pub(crate) format: Option<Format>,
    /// When a table is printed as a list.
    pub(crate) expanded: Expanded,
    /// What is told of the time that a statement took.
    pub(crate) timing: Timing,
    /// Whether rows that do not fit the screen go through a pager.
    pub(crate) uses_pager: bool,
    /// Whether a query that costs much is asked about.
    pub(crate) confirms: bool,
    /// Whether timelines are drawn with ASCII characters alone; else as the locale says.
    pub(crate) is_ascii: Option<bool>,
    /// What stands for NULL in tables.
    pub(crate) null: Arc<str>,
    /// How many rows of a table are shown, if not all.
    pub(crate) max_rows: Option<u64>,
    /// How long a statement may take.
    pub(crate) timeout: Option<Duration>,
    /// How many requests a statement may send.
    pub(crate) max_requests: Option<u64>,
}

/// What is told of the time that a statement took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// Nothing.
    Off,
    /// How long it took.
    On,
    /// That, and what each scan cost.
    Verbose,
}

/// A setting of the prompt.
pub(crate) struct Setting {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it changes.
    pub(crate) doc: &'static str,
    /// Its value as text.
    pub(crate) get: fn(&Preferences) -> String,
    /// Changes it.
    pub(crate) set: fn(&mut Preferences, &str) -> Result<(), Refusal>,
}

/// The settings that are the program's own, by name. Those of the engine are beside them.
pub(crate) const SETTINGS: [Setting; 10] = [
    Setting {
        name: "ascii",
        doc: "timelines of ASCII characters: on, off, or auto as the locale says",
        get: |preferences| preferences.is_ascii.map_or_else(|| "auto".to_owned(), switch),
        set: |preferences, text| {
            preferences.is_ascii = match text {
                "auto" => None,
                _ => match read_switch(text) {
                    Ok(is_on) => Some(is_on),
                    Err(_) => return Err(none_of(text, &["on", "off", "auto"])),
                },
            };
            Ok(())
        },
    },
    Setting {
        name: "confirm",
        doc: "ask before a query of more than 50 requests or 60 s",
        get: |preferences| switch(preferences.confirms),
        set: |preferences, text| read_switch(text).map(|is_on| preferences.confirms = is_on),
    },
    Setting {
        name: "expanded",
        doc: "rows as lists: on, off, or auto where columns would be hidden",
        get: |preferences| match preferences.expanded {
            Expanded::Off => "off".to_owned(),
            Expanded::On => "on".to_owned(),
            Expanded::Auto => "auto".to_owned(),
        },
        set: |preferences, text| {
            preferences.expanded = match text {
                "auto" => Expanded::Auto,
                _ => match read_switch(text) {
                    Ok(true) => Expanded::On,
                    Ok(false) => Expanded::Off,
                    Err(_) => return Err(none_of(text, &["on", "off", "auto"])),
                },
            };
            Ok(())
        },
    },
    Setting {
        name: "format",
        doc: "table, csv, json, jsonl, markdown, vertical, timeline, svg, html, or auto",
        get: |preferences| match preferences.format {
            Some(format) => format_name(format),
            None => "auto".to_owned(),
        },
        set: |preferences, text| {
            preferences.format = if text == "auto" { None } else { Some(read_format(text)?) };
            Ok(())
        },
    },
    Setting {
        name: "max_requests",
        doc: "how many requests a statement may send",
        get: |preferences| number(preferences.max_requests),
        set: |preferences, text| read_number(text).map(|n| preferences.max_requests = n),
    },
    Setting {
        name: "max_rows",
        doc: "how many rows of a table are shown",
        get: |preferences| number(preferences.max_rows),
        set: |preferences, text| read_number(text).map(|n| preferences.max_rows = n),
    },
    Setting {
        name: "null",
        doc: "what stands for NULL in tables",
        get: |preferences| preferences.null.to_string(),
        set: |preferences, text| {
            preferences.null = sessionql_core::display::escape_controls(text).into();
            Ok(())
        },
    },
    Setting {
        name: "pager",
        doc: "what does not fit the screen goes to $PAGER or less",
        get: |preferences| switch(preferences.uses_pager),
        set: |preferences, text| read_switch(text).map(|is_on| preferences.uses_pager = is_on),
    },
    Setting {
        name: "timeout",
        doc: "how long a statement may take",
        get: |preferences| preferences.timeout.map_or_else(|| "off".to_owned(), duration::human),
        set: |preferences, text| {
            preferences.timeout = match text {
                "off" => None,
                _ => Some(duration::parse(text).filter(|timeout| !timeout.is_zero()).ok_or_else(
                    || {
                        Refusal::new(format!("`{text}` is not a duration"))
                            .with_hint("durations are written 90s, 15m, 1h30m, 7d or 2w")
                    },
                )?),
            };
            Ok(())
        },
    },
    Setting {
        name: "timing",
        doc: "tell the time of a statement: on, off or verbose",
        get: |preferences| match preferences.timing {
            Timing::Off => "off".to_owned(),
            Timing::On => "on".to_owned(),
            Timing::Verbose => "verbose".to_owned(),
        },
        set: |preferences, text| {
            preferences.timing = match text {
                "verbose" => Timing::Verbose,
                _ => match read_switch(text) {
                    Ok(true) => Timing::On,
                    Ok(false) => Timing::Off,
                    Err(_) => return Err(none_of(text, &["on", "off", "verbose"])),
                },
            };
            Ok(())
        },
    },
];

impl Preferences {
    /// Returns what the command line asks for. At the prompt nothing is hidden without need.
    pub(crate) fn new(arguments: &Arguments, is_interactive: bool) -> Self {
        Self {
            format: arguments.format,
            expanded: if is_interactive { Expanded::Auto } else { Expanded::Off },
            timing: if is_interactive { Timing::On } else { Timing::Off },
            uses_pager: is_interactive,
            confirms: is_interactive,
            is_ascii: arguments.ascii.then_some(true),
            null: "NULL".into(),
            max_rows: None,
            timeout: arguments.timeout,
            max_requests: arguments.max_requests,
        }
    }
}

/// Reads the name of a format.
///
/// # Errors
/// If there is none such.
pub(crate) fn read_format(text: &str) -> Result<Format, Refusal> {
    Format::from_str(text, true).map_err(|_| {
        let names: Vec<String> =
            Format::value_variants().iter().copied().map(format_name).collect();
        none_of(text, &names.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

fn format_name(format: Format) -> String {
    format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Reads `on` or `off`.
///
/// # Errors
/// If it is neither.
pub(crate) fn read_switch(text: &str) -> Result<bool, Refusal> {
    match text.to_lowercase().as_str() {
        "on" | "true" | "yes" => Ok(true),
        "off" | "false" | "no" => Ok(false),
        _ => Err(none_of(text, &["on", "off"])),
    }
}

fn switch(is_on: bool) -> String {
    if is_on { "on" } else { "off" }.to_owned()
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "off".to_owned(), |number| number.to_string())
}

fn read_number(text: &str) -> Result<Option<u64>, Refusal> {
    match text {
        "off" => Ok(None),
        _ => text
            .parse()
            .map(Some)
            .map_err(|_| Refusal::new(format!("`{text}` is neither a whole number nor `off`"))),
    }
}

fn none_of(text: &str, known: &[&str]) -> Refusal {
    Refusal::new(format!("`{text}` is none of `{}`", known.join("`, `")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Invocation};

    fn preferences() -> Preferences {
        match cli::parse(["sessionql".into()]).unwrap() {
            Invocation::Run(arguments) => Preferences::new(&arguments, true),
            Invocation::Print(text) => panic!("{text}"),
        }
    }

    #[test]
    fn what_a_setting_shows_it_takes() {
        let values: [(&str, &[&str]); 10] = [
            ("ascii", &["auto", "on", "off"]),
            ("confirm", &["on", "off"]),
            ("expanded", &["on", "off", "auto"]),
            (
                "format",
                &["auto", "table", "csv", "markdown", "vertical", "timeline", "svg", "html"],
            ),
            ("max_requests", &["off", "12"]),
            ("max_rows", &["off", "40"]),
            ("null", &["NULL", "∅", ""]),
            ("pager", &["on", "off"]),
            ("timeout", &["off", "1m30s"]),
            ("timing", &["on", "off", "verbose"]),
        ];
        let mut preferences = preferences();
        for (setting, (name, values)) in SETTINGS.iter().zip(values) {
            assert_eq!(setting.name, name);
            for value in values {
                (setting.set)(&mut preferences, value).unwrap();
                assert_eq!((setting.get)(&preferences), *value, "{name}");
            }
        }
    }

    #[test]
    fn what_is_no_value_changes_nothing() {
        let mut preferences = preferences();
        for setting in SETTINGS.iter().filter(|setting| setting.name != "null") {
            let before = (setting.get)(&preferences);
            let refusal = (setting.set)(&mut preferences, "maybe").unwrap_err();
            assert!(refusal.message.contains("`maybe`"), "{}", refusal.message);
            assert_eq!((setting.get)(&preferences), before);
        }
    }
}
