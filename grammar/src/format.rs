//! Text in, the same text in the one canonical style out.
//! In: a script, or a syntax tree of any origin. Out: its text, comments in their places. Called by
//! `sessionql fmt`. The tree decides what is printed, the text lends it comments and the spelling
//! of constants; what comes out is parsed again, so that a text never changes its meaning.

use crate::ast::{Ident, ObjectName, ShowKind, Span, Statement, StatementKind};
use crate::error::{ParseError, ParseErrorKind};
use crate::parse::parse;
use crate::scan::MAX_TEXT_BYTES;

mod call;
mod comments;
mod expr;
mod layout;
mod query;
mod source;
mod table;

use comments::Placed;
use layout::Op;
pub(crate) use source::Source;

/// The stack for trees of any depth, so that callers need not care.
const STACK_BYTES: usize = 16 << 20;

/// Words that begin a clause, but may be columns before a comma.
const CLAUSES: [&str; 12] = [
    "having",
    "limit",
    "offset",
    "fetch",
    "union",
    "intersect",
    "except",
    "window",
    "qualify",
    "since",
    "until",
    "at",
];

/// Returns a script in the canonical style: keywords in upper case, one clause a line, what is
/// longer than a line broken and indented, every statement ended by `;`. All comments stay where
/// they are. Formatting the result again changes nothing.
///
/// # Errors
///
/// The first mistake of the script; `TooMuch` if its blanks make it longer than a script may be.
pub fn format(text: &str) -> Result<String, ParseError> {
    on_large_stack(|| {
        let statements = parse(text)?;
        let source = Source::new(text);
        let formatted = print_with(&statements, Some(&source));
        if formatted.len() > MAX_TEXT_BYTES {
            let what = "the bytes of the formatted text";
            let kind = ParseErrorKind::TooMuch { what, limit: "1 MiB" };
            return Err(ParseError::new(kind, Span::default()));
        }
        // The tree without its spans, and each comment: neither may be lost.
        let is_same = parse(&formatted)
            .is_ok_and(|again| std::format!("{again:?}") == std::format!("{statements:?}"))
            && source.has_same_comments(&Source::new(&formatted));
        if is_same { Ok(formatted) } else { Err(internal()) }
    })?
}

/// Returns the text of a tree in the canonical style.
///
/// A tree that no text has, such as a sum whose operand is a conjunction without parentheses, has
/// a text of another meaning.
pub fn print(statements: &[Statement]) -> String {
    on_large_stack(|| print_with(statements, None)).unwrap_or_default()
}

pub(crate) fn on_large_stack<T: Send>(run: impl FnOnce() -> T + Send) -> Result<T, ParseError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, run);
        thread.ok().and_then(|thread| thread.join().ok()).ok_or_else(internal)
    })
}

fn internal() -> ParseError {
    ParseError::new(ParseErrorKind::Internal, Span::default())
}

fn print_with(statements: &[Statement], source: Option<&Source<'_>>) -> String {
    let mut printer = Printer { source, tokens: Vec::new(), ops: Vec::new(), commas: Vec::new() };
    for statement in statements {
        printer.statement(statement);
    }
    printer.keep_commas();
    // Stands for the end of the text, so that the last comments have something to stand before.
    printer.token(String::new(), None);
    let Printer { tokens, ops, .. } = printer;
    let placed = source.map_or_else(Placed::default, |source| comments::place(source, &tokens));
    layout::render(&ops, &tokens, &placed)
}

/// A token to be printed.
struct Token {
    text: String,
    /// Where the tree says that it stood.
    offset: Option<usize>,
}

/// Turns a tree into tokens, and into what may stand between them.
struct Printer<'s, 't> {
    source: Option<&'s Source<'t>>,
    tokens: Vec<Token>,
    ops: Vec<Op>,
    /// Tokens without a text that may have to be commas.
    commas: Vec<usize>,
}

impl Printer<'_, '_> {
    fn statement(&mut self, statement: &Statement) {
        self.open();
        match &statement.kind {
            StatementKind::Query(query) => {
                self.ops.push(Op::Break);
                self.query(query);
            }
            StatementKind::Explain { analyze, query } => {
                self.ops.push(Op::Break);
                self.words(if *analyze { "EXPLAIN ANALYZE" } else { "EXPLAIN" });
                self.space();
                self.query(query);
            }
            StatementKind::Describe(table) => {
                self.words("DESCRIBE");
                self.space();
                self.path(table);
            }
            StatementKind::Show(kind) => {
                self.words("SHOW");
                self.space();
                match kind {
                    ShowKind::Connections => self.words("CONNECTIONS"),
                    ShowKind::Plugins => self.words("PLUGINS"),
                    ShowKind::Tables => self.words("TABLES"),
                    ShowKind::Functions => self.words("FUNCTIONS"),
                    ShowKind::Parameters => self.words("PARAMETERS"),
                    ShowKind::Setting(name) => self.name(name),
                }
            }
            StatementKind::Set { name, value } => {
                self.words("SET");
                self.space();
                self.name(name);
                self.spaced("=");
                self.expr(value);
            }
            StatementKind::SetParameter { name, value } => {
                self.words("SET");
                self.space();
                self.token(std::format!("${}", name.value), Some(name.span.start));
                self.spaced("=");
                self.expr(value);
            }
        }
        self.sign(";");
        self.close();
        self.ops.push(Op::Blank);
    }

    fn token(&mut self, text: String, offset: Option<usize>) {
        self.ops.push(Op::Token(self.tokens.len()));
        self.tokens.push(Token { text, offset });
    }

    /// Prints keywords.
    fn words(&mut self, words: &str) {
        for (n, word) in words.split(' ').enumerate() {
            if n > 0 {
                self.space();
            }
            self.token(word.to_owned(), None);
        }
    }

    /// Prints punctuation.
    fn sign(&mut self, sign: &str) {
        self.token(sign.to_owned(), None);
    }

    /// Prints keywords or a sign with a blank before and after.
    fn spaced(&mut self, words: &str) {
        self.space();
        self.words(words);
        self.space();
    }

    fn name(&mut self, name: &Ident) {
        let text = if name.is_quoted {
            std::format!("\"{}\"", name.value.replace('"', "\"\""))
        } else {
            name.value.clone()
        };
        self.token(text, Some(name.span.start));
    }

    fn path(&mut self, path: &ObjectName) {
        for (n, part) in path.parts.iter().enumerate() {
            if n > 0 {
                self.sign(".");
            }
            self.name(part);
        }
    }

    fn space(&mut self) {
        self.ops.push(Op::Space);
    }

    /// A blank, or the end of a line if the group is broken.
    fn line(&mut self) {
        self.ops.push(Op::Line);
    }

    /// Nothing, or the end of a line if the group is broken.
    fn soft_line(&mut self) {
        self.ops.push(Op::SoftLine);
    }

    /// Begins a group: what is on one line if it fits, else broken at all its lines. The token
    /// before a line belongs to the line's group, so that a comment there breaks that group.
    fn open(&mut self) {
        self.ops.push(Op::Open);
    }

    fn close(&mut self) {
        self.ops.push(Op::Close);
    }

    fn indent(&mut self) {
        self.ops.push(Op::Indent);
    }

    fn dedent(&mut self) {
        self.ops.push(Op::Dedent);
    }

    /// Prints brackets around something, which gets lines of its own if it does not fit.
    fn bracketed(&mut self, open: &str, close: &str, print: impl FnOnce(&mut Self)) {
        self.open();
        self.sign(open);
        self.indent();
        self.soft_line();
        print(self);
        self.dedent();
        self.soft_line();
        self.sign(close);
        self.close();
    }

    /// Prints the items of a list, one a line if the group is broken.
    fn list<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                self.sign(",");
                self.line();
            }
            print(self, item);
        }
    }

    /// Prints a list of names in parentheses.
    fn names(&mut self, names: &[Ident]) {
        self.bracketed("(", ")", |printer| printer.list(names, Self::name));
    }

    /// Prints a clause that is a list: its words, then the items, below them if they do not fit.
    fn list_clause<T>(&mut self, words: &str, items: &[T], print: impl FnMut(&mut Self, &T)) {
        self.open();
        self.words(words);
        self.list_after_words(items, print);
        self.close();
    }

    fn list_after_words<T>(&mut self, items: &[T], print: impl FnMut(&mut Self, &T)) {
        if items.len() == 1 {
            self.space();
            return self.list(items, print);
        }
        self.indent();
        self.line();
        self.list(items, print);
        self.dedent();
        // A list that ends with a column `limit` is read as one that a LIMIT follows, unless
        // something says otherwise.
        if let [.., comma, last] = self.tokens.as_slice()
            && comma.text == ","
            && CLAUSES.iter().any(|word| last.text.eq_ignore_ascii_case(word))
        {
            self.commas.push(self.tokens.len());
            self.token(String::new(), None);
        }
    }

    /// Makes commas of the tokens that have to be.
    fn keep_commas(&mut self) {
        for comma in std::mem::take(&mut self.commas) {
            let next = self.tokens.get(comma + 1).map_or("", |token| token.text.as_str());
            if !matches!(next, "" | "," | ";" | ")" | "FROM") {
                self.tokens[comma].text.push(',');
            }
        }
    }
}
