//! What `\?` and `\h` print: the commands, and short texts on the parts of the language.
//! The texts are in `topics.md`, whose examples the tests run; functions tell of themselves.

use sessionql_core::Function;
use sessionql_core::error::{did_you_mean, nearest};

use super::command::{COMMANDS, Command, find};
use crate::render::broken;
use crate::usage::Refusal;

const TOPICS: &str = include_str!("topics.md");

/// What is below this width has its explanation in a line of its own.
const MIN_WIDTH: usize = 60;

/// How much room a command has beside its explanation.
const USAGE_WIDTH: usize = 25;

/// One part of the language.
struct Topic {
    names: Vec<&'static str>,
    text: &'static str,
}

fn topics() -> impl Iterator<Item = Topic> {
    TOPICS.split("## ").skip(1).map(|section| {
        let (names, text) = section.split_once('\n').unwrap_or((section, ""));
        Topic { names: names.split(", ").collect(), text }
    })
}

/// Returns the list of commands in lines of at most `width`.
pub(super) fn commands(width: usize) -> String {
    let mut text = String::new();
    let mut topic = "";
    for command in &COMMANDS {
        if command.topic != topic {
            topic = command.topic;
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}{topic}\n"));
        }
        text.push_str(&entry(&usage(command), command.doc, width));
    }
    let more = [
        ("SELECT …;", "a statement; it ends with `;`"),
        ("Ctrl-C", "clears what is typed, ends what runs"),
        ("Ctrl-D, exit", "quits"),
    ];
    text.push_str("\nkeys\n");
    for (keys, doc) in more {
        text.push_str(&entry(keys, doc, width));
    }
    text
}

/// Returns what `\h` tells of a topic, a command or a function; of nothing, the topics.
///
/// # Errors
/// If there is nothing of that name.
pub(super) fn topic(name: &str, functions: &[Function], width: usize) -> Result<String, Refusal> {
    let name = name.trim().trim_end_matches("()").to_lowercase();
    if name.is_empty() {
        let names: Vec<&str> = topics().flat_map(|topic| topic.names).collect();
        let hint =
            "`\\h name` tells of one of these, of a function (`\\df` lists them) or of a command:";
        let mut text = lines(hint, width, "");
        text.push_str(&lines(&names.join(", "), width, "  "));
        return Ok(text);
    }
    if let Some(command) = name.strip_prefix(['\\', '.']).and_then(find) {
        return Ok(entry(&usage(command), command.doc, width));
    }
    if let Some(topic) = topics().find(|topic| topic.names.contains(&name.as_str())) {
        return Ok(shown(&topic, width));
    }
    let of_name: Vec<&Function> =
        functions.iter().filter(|function| function.name == name).collect();
    if !of_name.is_empty() {
        let told = of_name.iter().map(|function| {
            let head = format!("{} ({})\n", function.signature, function.kind);
            head + &lines(&function.doc, width, "  ")
        });
        return Ok(told.collect());
    }
    let names = topics().flat_map(|topic| topic.names);
    let names = names.chain(functions.iter().map(|function| function.name.as_str()));
    let near = nearest(&name, names);
    let shown = sessionql_core::display::escape_controls(&name);
    let hint = did_you_mean(&near).unwrap_or_else(|| r"`\h` lists the topics".to_owned());
    Err(Refusal::new(format!("no topic `{shown}`")).with_hint(hint))
}

/// Returns a topic: its text, and its example as it is to be typed.
fn shown(topic: &Topic, width: usize) -> String {
    let mut text = String::new();
    let mut is_example = false;
    for line in topic.text.trim().lines() {
        match line {
            "```sql" => is_example = true,
            "```" => is_example = false,
            "" => text.push('\n'),
            line if is_example => text.push_str(&lines(line, width, "  ")),
            line => text.push_str(&lines(line, width, "")),
        }
    }
    text
}

fn usage(command: &Command) -> String {
    format!("\\{} {}", command.name, command.arguments).trim_end().to_owned()
}

fn entry(usage: &str, doc: &str, width: usize) -> String {
    if width < MIN_WIDTH {
        return format!("  {usage}\n{}", lines(doc, width, "    "));
    }
    let is_long = usage.len() > USAGE_WIDTH;
    let mut text = if is_long { format!("  {usage}\n") } else { String::new() };
    for (idx, line) in broken(doc, width.saturating_sub(28)).iter().enumerate() {
        let head = if idx == 0 && !is_long { usage } else { "" };
        text.push_str(&format!("  {head:<USAGE_WIDTH$} {line}\n"));
    }
    text
}

fn lines(text: &str, width: usize, indent: &str) -> String {
    let room = width.saturating_sub(indent.len()).max(1);
    broken(text, room).iter().map(|line| format!("{indent}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn every_topic_has_a_text_and_an_example() {
        for topic in topics() {
            assert_eq!(topic.text.matches("```sql\n").count(), 1, "{:?}", topic.names);
            assert!(!topic.text.starts_with("```"), "{:?}", topic.names);
        }
        assert!(topics().count() >= 15);
    }

    #[test]
    fn help_fits_the_screen() {
        for width in [20, 40, 80, 200] {
            let widest = |text: &str| text.lines().map(|line| line.width()).max().unwrap_or(0);
            assert!(widest(&commands(width)) <= width.max(34), "{width}: {}", commands(width));
            let text = topic("since", &[], width).unwrap();
            assert!(widest(&text) <= width, "{text}");
        }
    }

    #[test]
    fn topics_commands_and_functions_are_found() {
        let function = Function {
            name: "ago".to_owned(),
            kind: "scalar",
            signature: "ago(duration)".to_owned(),
            doc: "The instant that long before now().".to_owned(),
        };
        let of = |name| topic(name, std::slice::from_ref(&function), 80);
        assert!(of("UNTIL").unwrap().contains("SINCE 6h UNTIL 2h"));
        assert!(of(r"\x").unwrap().contains("[on|off|auto]"));
        assert!(of("ago()").unwrap().contains("Durations are written"), "topics come first");
        assert!(of("").unwrap().contains("overlaps"));
        let refusal = of("overlps").unwrap_err();
        assert_eq!(refusal.message, "no topic `overlps`");
        assert_eq!(refusal.hint.unwrap(), "did you mean `overlaps`?");
    }
}
