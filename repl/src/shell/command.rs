//! The commands of the prompt: one table, of which help, errors and completion are made, and how a line
//! becomes one of them. A command is a line that begins with `\` or `.`; a `;` at its end does not
//! count. What a command does is in `perform.rs`.

use sessionql_core::display::escape_controls;
use sessionql_core::error::{did_you_mean, nearest};

use super::split;
use crate::usage::Refusal;

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its name, without the backslash.
    pub(crate) name: &'static str,
    /// What stands behind it.
    pub(crate) arguments: &'static str,
    /// What it does, in one line.
    pub(crate) doc: &'static str,
    /// Under which heading it is listed.
    pub(crate) topic: &'static str,
    /// What is done.
    pub(super) verb: Verb,
    /// How many words it takes at most.
    n_words: usize,
}

/// What commands do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Help,
    Explain,
    Describe,
    Tables,
    Connections,
    Plugins,
    Functions,
    Expand,
    Format,
    Timing,
    Output,
    Last,
    Watch,
    Timeline,
    Since,
    Set,
    Parameter,
    Include,
    Run,
    Cache,
    /// Done by the prompt itself.
    Edit,
    Quit,
}

const LOOK: &str = "what there is";
const SHOW: &str = "how rows are shown";
const ASK: &str = "what is asked";
const TEXTS: &str = "statements";

/// Any number of words.
const MANY: usize = usize::MAX;

/// All commands, in the order in which they are listed.
pub(crate) const COMMANDS: [Command; 22] = [
    command("?", "", "lists the commands", LOOK, Verb::Help, 0),
    command(
        "h",
        "[topic]",
        "tells of the language, a function or a command",
        LOOK,
        Verb::Explain,
        MANY,
    ),
    command(
        "d",
        "[table]",
        "lists columns and what the provider filters",
        LOOK,
        Verb::Describe,
        MANY,
    ),
    command("dt", "", "lists the tables", LOOK, Verb::Tables, 0),
    command(
        "dc",
        "",
        "lists connections: token, rate left, last error",
        LOOK,
        Verb::Connections,
        0,
    ),
    command("dp", "", "lists the plugins with their files", LOOK, Verb::Plugins, 0),
    command(
        "df",
        "[text]",
        "lists functions, those with the text in the name",
        LOOK,
        Verb::Functions,
        1,
    ),
    command("x", "[on|off|auto]", "shows rows as lists of their columns", SHOW, Verb::Expand, 1),
    command(
        "format",
        "[name]",
        "table, csv, json, jsonl, markdown, vertical, timeline, svg or html",
        SHOW,
        Verb::Format,
        1,
    ),
    command(
        "timing",
        "[on|off|verbose]",
        "tells the time, or what each scan cost",
        SHOW,
        Verb::Timing,
        1,
    ),
    command("o", "[file]", "writes rows to a file; without one, ends that", SHOW, Verb::Output, 1),
    command("last", "", "shows the last result again; it is the table `_`", SHOW, Verb::Last, 0),
    command(
        "timeline",
        "[query]",
        "draws the last result or that of a query over time",
        SHOW,
        Verb::Timeline,
        MANY,
    ),
    command(
        "watch",
        "[secs] [--diff] [query]",
        "repeats the last or given query until Ctrl-C; with `--diff` shows what changed",
        SHOW,
        Verb::Watch,
        MANY,
    ),
    command(
        "since",
        "[time|off]",
        "the window of queries without one, such as 24h",
        ASK,
        Verb::Since,
        2,
    ),
    command("set", "[name [value]]", "shows or changes a setting", ASK, Verb::Set, MANY),
    command(
        "param",
        "[name [value]]",
        "gives `$name` a value, or takes it away",
        ASK,
        Verb::Parameter,
        2,
    ),
    command(
        "cache",
        "[on|off|clear|5m]",
        "answers from memory what was read lately",
        ASK,
        Verb::Cache,
        1,
    ),
    command("i", "file", "runs the statements of a file", TEXTS, Verb::Include, 1),
    command(
        "run",
        "file [name=value …]",
        "runs a file with values for its parameters",
        TEXTS,
        Verb::Run,
        MANY,
    ),
    command(
        "e",
        "[file]",
        "opens an editor with the last statement or a file",
        TEXTS,
        Verb::Edit,
        1,
    ),
    command("q", "", "quits", TEXTS, Verb::Quit, 0),
];

const fn command(
    name: &'static str,
    arguments: &'static str,
    doc: &'static str,
    topic: &'static str,
    verb: Verb,
    n_words: usize,
) -> Command {
    Command { name, arguments, doc, topic, verb, n_words }
}

/// A line that is a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The command.
    pub(super) command: &'static Command,
    /// The words behind it.
    pub(super) words: Vec<String>,
    /// The text behind it.
    pub(super) rest: String,
}

/// Tells whether a text is a command and no statement.
pub(super) fn is_command(text: &str) -> bool {
    name_and_rest(text).is_some()
}

/// Returns the command that a text is; `None` if it is none.
///
/// # Errors
/// If there is no such command, or it does not take these words.
pub(super) fn read(text: &str) -> Option<Result<Line, Refusal>> {
    let (name, rest) = name_and_rest(text)?;
    Some(read_named(name, rest))
}

fn read_named(name: &str, rest: &str) -> Result<Line, Refusal> {
    let Some(command) = find(name) else {
        let shown = escape_controls(name);
        let near = nearest(name, COMMANDS.iter().map(|command| command.name));
        let near: Vec<String> = near.iter().map(|name| format!("\\{name}")).collect();
        let hint = did_you_mean(&near).unwrap_or_else(|| r"`\?` lists the commands".to_owned());
        return Err(Refusal::new(format!("no command `\\{shown}`")).with_hint(hint));
    };
    // What is behind these may be a query, with quotes of its own.
    let words = match command.verb {
        Verb::Watch | Verb::Timeline | Verb::Explain => Vec::new(),
        _ => split::words(rest)?,
    };
    if words.len() > command.n_words {
        let takes = match command.n_words {
            0 => "takes nothing behind it".to_owned(),
            _ => format!("takes `{}`", command.arguments),
        };
        let message = format!("`\\{}` {takes}, found `{}`", command.name, escape_controls(rest));
        return Err(Refusal::new(message));
    }
    Ok(Line { command, words, rest: rest.to_owned() })
}

/// Returns the command of a name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Returns name and rest of a command, if a text is one.
fn name_and_rest(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let text = text.strip_suffix(';').unwrap_or(text).trim_end();
    match text.to_lowercase().as_str() {
        "exit" | "quit" => return Some(("q", "")),
        "help" => return Some(("?", "")),
        _ => {}
    }
    let line = match text.strip_prefix('\\') {
        Some(line) => line,
        // `.5` is a number.
        None => text.strip_prefix('.').filter(|line| {
            line.starts_with(|first: char| first == '?' || first.is_ascii_alphabetic())
        })?,
    };
    let end = line.find(char::is_whitespace).unwrap_or(line.len());
    Some((&line[..end], line[end..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<&'static str> {
        Some(read(text)?.unwrap().command.name)
    }

    fn refused(text: &str) -> String {
        let refusal = read(text).unwrap().unwrap_err();
        format!("{} | {}", refusal.message, refusal.hint.unwrap_or_default())
    }

    #[test]
    fn commands_and_statements() {
        for text in [r"\q", ".q", "exit", " QUIT ; ", "quit;", r"\q;"] {
            assert_eq!(name(text), Some("q"), "{text}");
        }
        for text in [r"\?", ".?", "help", "HELP;"] {
            assert_eq!(name(text), Some("?"), "{text}");
        }
        assert_eq!(name(r"\x auto"), Some("x"));
        for text in ["SELECT 1;", "exit 1;", "select\nexit", "", ".5", "."] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_command_has_words() {
        let line = read(r"\run 'my file.sql' who='Ann Lee' n=3;").unwrap().unwrap();
        assert_eq!(line.words, ["my file.sql", "who=Ann Lee", "n=3"]);
        let line = read(r"\watch 5 SELECT 'it''s';").unwrap().unwrap();
        assert_eq!(line.rest, "5 SELECT 'it''s'");
    }

    #[test]
    fn what_is_no_command_is_told_with_what_is_near() {
        assert_eq!(refused(r"\formt csv"), r"no command `\formt` | did you mean `\format`?");
        assert_eq!(refused(r"\zzzzzzz"), r"no command `\zzzzzzz` | `\?` lists the commands");
        assert_eq!(refused("\\\x1b[2J"), "no command `\\\\u{1b}[2J` | `\\?` lists the commands");
        assert_eq!(refused(r"\dt now"), r"`\dt` takes nothing behind it, found `now` | ");
        assert_eq!(refused(r"\x on off"), r"`\x` takes `[on|off|auto]`, found `on off` | ");
        assert_eq!(refused(r"\i 'x"), "the quote ' is not closed | ");
    }

    #[test]
    fn every_command_is_found_by_its_name_alone() {
        for command in &COMMANDS {
            let names = COMMANDS.iter().filter(|other| other.name == command.name);
            assert_eq!(names.count(), 1, "{}", command.name);
            assert!(!command.doc.is_empty() && !command.doc.ends_with('.'), "{}", command.name);
        }
    }
}
