//! Trees of every construct of the language, made of a list of choices.
//! In: numbers. Out: a script that some text has; no choices left give the simplest one, so that a
//! shorter list is a smaller example.

use sessionql_grammar::ast::*;

/// Names that need no quotes anywhere.
const NAMES: [&str; 10] = [
    "a",
    "b",
    "user",
    "start",
    "end",
    "status",
    "größe",
    "now",
    "today",
    "a_rather_long_name_of_a_column",
];

/// What texts are made of.
const TEXTS: [&str; 8] = [
    "",
    "x",
    "it's",
    "two\nlines",
    "-- no comment",
    "/* none */",
    "a;b, (c) \"d\" $$",
    "ünï\u{a0}c\\'",
];

/// Precedences, from the loosest operator to an operand.
const OR: u8 = 0;
const AND: u8 = 1;
const NOT: u8 = 2;
const IS: u8 = 3;
const COMPARISON: u8 = 4;
const TEST: u8 = 5;
const CONCAT: u8 = 6;
const ADDITIVE: u8 = 7;
const MULTIPLICATIVE: u8 = 8;
const ZONE: u8 = 9;
const SIGN: u8 = 10;
const POSTFIX: u8 = 11;
const PRIMARY: u8 = 12;

/// How deep trees are.
const MAX_DEPTH: usize = 7;

/// Makes a tree of choices.
pub(super) struct Generator<'a> {
    choices: std::slice::Iter<'a, u8>,
    depth: usize,
}

impl<'a> Generator<'a> {
    pub(super) fn new(choices: &'a [u8]) -> Self {
        Self { choices: choices.iter(), depth: 0 }
    }

    /// Returns a number below `n`.
    fn pick(&mut self, n: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(*choice) % n)
    }

    fn is(&mut self) -> bool {
        self.pick(2) == 1
    }

    fn rarely(&mut self) -> bool {
        self.pick(5) == 4
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.pick(3) == 2 { Some(make(self)) } else { None }
    }

    fn list<T>(&mut self, at_least: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let more = self.pick(4);
        (0..at_least + more).map(|_| make(self)).collect()
    }

    fn possibly_list<T>(&mut self, make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        if self.pick(3) == 2 { self.list(1, make) } else { Vec::new() }
    }

    pub(super) fn script(&mut self) -> Vec<Statement> {
        self.list(1, Self::statement)
    }

    fn statement(&mut self) -> Statement {
        let kind = match self.pick(12) {
            0 => StatementKind::Explain { analyze: self.is(), query: Box::new(self.query()) },
            1 => StatementKind::Describe(self.path()),
            2 => StatementKind::Show(match self.pick(6) {
                0 => ShowKind::Connections,
                1 => ShowKind::Plugins,
                2 => ShowKind::Tables,
                3 => ShowKind::Functions,
                4 => ShowKind::Parameters,
                _ => ShowKind::Setting(self.name()),
            }),
            3 => StatementKind::Set { name: self.name(), value: self.range() },
            4 => StatementKind::SetParameter {
                name: Ident { value: "p".to_owned(), is_quoted: false, span: Span::default() },
                value: self.range(),
            },
            _ => StatementKind::Query(Box::new(self.query())),
        };
        Statement { kind, span: Span::default() }
    }

    fn name(&mut self) -> Ident {
        let (value, is_quoted) = match self.pick(NAMES.len() + 3) {
            0 => ("A \"quoted\" name", true),
            1 => ("select", true),
            2 => ("-- x", true),
            n => (NAMES[n - 3], false),
        };
        Ident { value: value.to_owned(), is_quoted, span: Span::default() }
    }

    fn path(&mut self) -> ObjectName {
        let more = if self.rarely() { 2 } else { self.pick(2) };
        ObjectName { parts: (0..=more).map(|_| self.name()).collect(), span: Span::default() }
    }

    fn text(&mut self) -> String {
        TEXTS[self.pick(TEXTS.len())].to_owned()
    }

    /// A query for where one must stand: in a statement, a WITH, an EXISTS, between parentheses.
    fn query(&mut self) -> Query {
        let with = if self.rarely() && self.depth < MAX_DEPTH { Some(self.with()) } else { None };
        let body = self.set_expr(true);
        self.query_around(with, body)
    }

    /// A query for where an expression or a table may stand too: parentheses at its beginning make
    /// it a query only if something follows them.
    fn inner_query(&mut self) -> Query {
        if self.rarely() && self.depth < MAX_DEPTH {
            let first = SetExpr {
                kind: SetExprKind::Query(Box::new(self.deeper(Self::inner_query))),
                span: Span::default(),
            };
            let (op, is_all) = (self.set_op(), self.is());
            let is_chain = op != SetOp::Intersect && self.is();
            let right = self.set_operand(is_chain, true);
            return self.query_around(None, operation(op, is_all, first, right));
        }
        let with = if self.rarely() && self.depth < MAX_DEPTH { Some(self.with()) } else { None };
        let body = self.set_expr(with.is_some());
        self.query_around(with, body)
    }

    fn query_around(&mut self, with: Option<With>, body: SetExpr) -> Query {
        Query {
            with,
            body,
            order_by: self.possibly_list(Self::order_item),
            limit: self.some(Self::range),
            offset: self.some(Self::range),
            span: Span::default(),
        }
    }

    fn deeper<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let made = make(self);
        self.depth -= 1;
        made
    }

    fn with(&mut self) -> With {
        With {
            is_recursive: self.is(),
            ctes: self.list(1, |this| Cte {
                name: this.name(),
                columns: this.possibly_list(Self::name),
                query: this.deeper(Self::query),
            }),
        }
    }

    fn set_op(&mut self) -> SetOp {
        [SetOp::Union, SetOp::Intersect, SetOp::Except][self.pick(3)]
    }

    fn set_expr(&mut self, may_begin_with_parentheses: bool) -> SetExpr {
        let mut body = self.set_operand(self.depth < MAX_DEPTH, may_begin_with_parentheses);
        while self.depth < MAX_DEPTH && self.rarely() {
            let op = if self.is() { SetOp::Union } else { SetOp::Except };
            let is_all = self.is();
            let right = self.set_operand(true, true);
            body = operation(op, is_all, body, right);
        }
        body
    }

    /// One operand, or some with INTERSECT between them.
    fn set_operand(&mut self, is_chain: bool, may_be_query: bool) -> SetExpr {
        let kind = match self.pick(8) {
            7 => SetExprKind::Values(
                self.list(1, |this| this.list(1, |this| this.deeper(Self::expr))),
            ),
            6 if may_be_query && self.depth < MAX_DEPTH => {
                SetExprKind::Query(Box::new(self.deeper(Self::query)))
            }
            _ => SetExprKind::Select(Box::new(self.deeper(Self::select))),
        };
        let mut operand = SetExpr { kind, span: Span::default() };
        while is_chain && self.rarely() {
            let is_all = self.is();
            let right = self.set_operand(false, true);
            operand = operation(SetOp::Intersect, is_all, operand, right);
        }
        operand
    }

    fn select(&mut self) -> Select {
        Select {
            distinct: match self.pick(6) {
                5 => Some(Distinct::On(self.list(1, Self::expr))),
                4 => Some(Distinct::Rows),
                _ => None,
            },
            items: self.list(1, Self::select_item),
            from: if self.is() { self.list(1, Self::table_expr) } else { Vec::new() },
            time_window: self.some(Self::time_window),
            filter: self.some(Self::expr),
            group_by: match self.pick(6) {
                5 => GroupBy::All,
                4 => GroupBy::Items(self.list(1, Self::group_item)),
                _ => GroupBy::Items(Vec::new()),
            },
            having: self.some(Self::expr),
            windows: self.possibly_list(|this| NamedWindow {
                name: this.name(),
                window: this.window_spec(),
            }),
            qualify: self.some(Self::expr),
        }
    }

    fn select_item(&mut self) -> SelectItem {
        let kind = if self.rarely() {
            SelectItemKind::Wildcard {
                table: self.some(Self::path),
                except: self.possibly_list(Self::name),
            }
        } else {
            SelectItemKind::Expr { value: self.expr(), alias: self.some(Self::name) }
        };
        SelectItem { kind, span: Span::default() }
    }

    fn time_window(&mut self) -> TimeWindow {
        let span = Span::default();
        match self.pick(4) {
            0 => TimeWindow::Between { since: Some(self.range()), until: None, span },
            1 => TimeWindow::Between { since: None, until: Some(self.range()), span },
            2 => TimeWindow::Between { since: Some(self.range()), until: Some(self.range()), span },
            _ => TimeWindow::At { instant: self.range(), span },
        }
    }

    fn group_item(&mut self) -> GroupItem {
        let sets = |this: &mut Self| {
            this.list(1, |this| if this.is() { Vec::new() } else { this.list(1, Self::expr) })
        };
        match self.pick(6) {
            3 => GroupItem::Rollup(sets(self)),
            4 => GroupItem::Cube(sets(self)),
            5 => GroupItem::Sets(sets(self)),
            _ => GroupItem::Expr(self.expr()),
        }
    }

    fn order_item(&mut self) -> OrderItem {
        OrderItem {
            value: self.expr(),
            is_descending: self.some(Self::is),
            nulls_first: self.some(Self::is),
        }
    }

    fn table_expr(&mut self) -> TableExpr {
        let table = self.table();
        let joins = if self.is() { self.list(0, Self::join) } else { Vec::new() };
        TableExpr { table, joins }
    }

    fn table(&mut self) -> Table {
        let is_deep = self.depth >= MAX_DEPTH;
        let mut alias = self
            .some(|this| TableAlias { name: this.name(), columns: this.possibly_list(Self::name) });
        let kind = match self.pick(6) {
            2 => TableKind::Function { name: self.path(), arguments: self.list(0, Self::argument) },
            3 | 4 if !is_deep => TableKind::Query(Box::new(self.deeper(Self::inner_query))),
            5 if !is_deep => {
                let mut tables = self.deeper(Self::table_expr);
                // A query that stands alone is one, however many parentheses are around it.
                if matches!(tables.table.kind, TableKind::Query(_)) && tables.joins.is_empty() {
                    tables.table.alias = tables
                        .table
                        .alias
                        .or(Some(TableAlias { name: self.name(), columns: vec![] }));
                }
                TableKind::Nested(Box::new(tables))
            }
            _ => TableKind::Name(self.path()),
        };
        // `a (b)` without AS would be a call; the printer writes AS, so nothing is to be done.
        if alias.as_ref().is_some_and(|alias| alias.name.value.is_empty()) {
            alias = None;
        }
        Table { kind, alias, is_lateral: self.rarely(), span: Span::default() }
    }

    fn join(&mut self) -> Join {
        let kind = match self.pick(11) {
            0 => JoinKind::Inner,
            1 => JoinKind::Left,
            2 => JoinKind::Right,
            3 => JoinKind::Full,
            4 => JoinKind::Cross,
            5 => JoinKind::Semi,
            6 => JoinKind::Anti,
            7 => JoinKind::RightSemi,
            8 => JoinKind::RightAnti,
            9 => JoinKind::Asof { is_left: false },
            _ => JoinKind::Asof { is_left: true },
        };
        let table = self.table();
        let condition = match (kind, self.pick(4)) {
            (JoinKind::Cross, _) => JoinCondition::None,
            (JoinKind::Asof { .. }, _) | (_, 0 | 1) => JoinCondition::On(self.expr()),
            (_, 2) => JoinCondition::Using(self.list(1, Self::name)),
            _ => JoinCondition::Natural,
        };
        Join { kind, table, condition, span: Span::default() }
    }

    fn argument(&mut self) -> Argument {
        Argument { name: self.some(Self::name), value: self.expr() }
    }

    fn window_spec(&mut self) -> WindowSpec {
        WindowSpec {
            base: self.some(Self::name),
            partition_by: self.possibly_list(Self::expr),
            order_by: self.possibly_list(Self::order_item),
            frame: self.some(|this| Frame {
                units: [FrameUnits::Rows, FrameUnits::Range, FrameUnits::Groups][this.pick(3)],
                start: this.bound(),
                end: this.some(Self::bound),
            }),
        }
    }

    fn bound(&mut self) -> FrameBound {
        match self.pick(3) {
            0 => FrameBound::CurrentRow,
            1 => FrameBound::Preceding(self.some(|this| Box::new(this.range()))),
            _ => FrameBound::Following(self.some(|this| Box::new(this.range()))),
        }
    }

    /// Any expression.
    fn expr(&mut self) -> Expr {
        self.expr_of(OR, true)
    }

    /// An expression without tests, comparisons, AND, OR and NOT outside of parentheses.
    fn range(&mut self) -> Expr {
        self.expr_of(CONCAT, false)
    }

    /// An expression that binds at least as tightly as a level.
    fn expr_of(&mut self, level: u8, is_free: bool) -> Expr {
        if self.depth >= MAX_DEPTH {
            return expr(self.leaf());
        }
        // Many operands, few operators.
        let wanted = match self.pick(3) {
            0 => PRIMARY,
            _ => level.max(u8::try_from(self.pick(13)).unwrap_or(PRIMARY)),
        };
        let kind = self.deeper(|this| this.operation(wanted, is_free));
        expr(kind)
    }

    fn boxed(&mut self, level: u8, is_free: bool) -> Box<Expr> {
        Box::new(self.expr_of(level, is_free))
    }

    fn operation(&mut self, level: u8, is_free: bool) -> ExprKind {
        match level {
            OR => ExprKind::Or(self.list(2, |this| this.expr_of(AND, true))),
            AND => ExprKind::And(self.list(2, |this| this.expr_of(NOT, true))),
            NOT => ExprKind::Not(self.boxed(NOT, true)),
            IS => ExprKind::Is {
                operand: self.boxed(IS, true),
                test: match self.pick(5) {
                    0 => IsTest::Null,
                    1 => IsTest::True,
                    2 => IsTest::False,
                    3 => IsTest::Unknown,
                    _ => IsTest::DistinctFrom(Box::new(self.range())),
                },
                is_negated: self.is(),
            },
            COMPARISON => {
                use BinaryOp::{Contains, Eq, Gt, GtEq, Lt, LtEq, NotEq, Overlaps};
                let op = [Eq, NotEq, Lt, LtEq, Gt, GtEq, Overlaps, Contains][self.pick(8)];
                let mut comparison = self.binary(op, TEST, is_free);
                if self.rarely() && op.is_comparison() {
                    let quantified = self.quantified();
                    if let ExprKind::Binary { right, .. } = &mut comparison {
                        **right = expr(quantified);
                    }
                }
                comparison
            }
            TEST => self.test(),
            CONCAT => {
                use BinaryOp::{Concat, NotRegex, NotRegexAnyCase, Regex, RegexAnyCase};
                let ops = [Concat, Regex, RegexAnyCase, NotRegex, NotRegexAnyCase];
                let op = ops[self.pick(if is_free { 5 } else { 1 })];
                self.binary(op, CONCAT, is_free)
            }
            ADDITIVE => {
                let op = [BinaryOp::Add, BinaryOp::Subtract][self.pick(2)];
                self.binary(op, ADDITIVE, is_free)
            }
            MULTIPLICATIVE => {
                let op = [BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Modulo][self.pick(3)];
                self.binary(op, MULTIPLICATIVE, is_free)
            }
            ZONE => self.binary(BinaryOp::AtTimeZone, ZONE, is_free),
            SIGN => ExprKind::Sign { is_minus: self.is(), operand: self.boxed(SIGN, is_free) },
            POSTFIX => self.postfix(),
            _ => self.primary(),
        }
    }

    /// A binary operation that groups from the left, comparisons not at all.
    fn binary(&mut self, op: BinaryOp, left: u8, is_free: bool) -> ExprKind {
        let right = if left == TEST { left } else { left + 1 };
        ExprKind::Binary {
            op,
            op_span: Span::default(),
            left: self.boxed(left, is_free),
            right: self.boxed(right, is_free),
        }
    }

    fn test(&mut self) -> ExprKind {
        let operand = self.boxed(TEST, true);
        let is_negated = self.is();
        match self.pick(4) {
            0 => ExprKind::InList { operand, list: self.list(1, Self::expr), is_negated },
            1 => ExprKind::InQuery {
                operand,
                query: Box::new(self.deeper(Self::inner_query)),
                is_negated,
            },
            2 => ExprKind::Between {
                operand,
                low: Box::new(self.range()),
                high: Box::new(self.range()),
                is_negated,
                is_symmetric: self.is(),
            },
            _ => ExprKind::Like {
                kind: [LikeKind::Like, LikeKind::ILike, LikeKind::SimilarTo][self.pick(3)],
                operand,
                pattern: Box::new(self.range()),
                escape: self.some(Self::text),
                is_negated,
            },
        }
    }

    fn postfix(&mut self) -> ExprKind {
        match self.pick(3) {
            0 => ExprKind::Cast {
                operand: self.boxed(POSTFIX, true),
                data_type: self.data_type(),
                is_try: false,
            },
            1 => ExprKind::Subscript {
                operand: self.boxed(POSTFIX, true),
                index: match self.pick(2) {
                    0 => Subscript::Index(Box::new(self.expr())),
                    _ => Subscript::Slice(
                        self.some(|this| Box::new(this.expr())),
                        self.some(|this| Box::new(this.expr())),
                    ),
                },
            },
            _ => {
                let operand = self.boxed(POSTFIX, true);
                // A dot behind a column is part of its name.
                let operand = match operand.kind {
                    ExprKind::Column(_) => Box::new(expr(ExprKind::Nested(operand))),
                    _ => operand,
                };
                ExprKind::Field { operand, name: self.name() }
            }
        }
    }

    fn primary(&mut self) -> ExprKind {
        match self.pick(21) {
            0 => ExprKind::Nested(Box::new(self.expr())),
            1 => ExprKind::Tuple(self.list(2, Self::expr)),
            2 => ExprKind::Array(self.list(0, Self::expr)),
            3 => ExprKind::Case {
                operand: self.some(|this| Box::new(this.expr())),
                branches: self.list(1, |this| (this.expr(), this.expr())),
                otherwise: self.some(|this| Box::new(this.expr())),
            },
            4 => ExprKind::Cast {
                // What `::` would not take whole.
                operand: Box::new(expr(ExprKind::Not(self.boxed(NOT, true)))),
                data_type: self.data_type(),
                is_try: false,
            },
            5 => ExprKind::Cast {
                operand: Box::new(self.expr()),
                data_type: self.data_type(),
                is_try: true,
            },
            6 => {
                let is_quoted = self.is();
                let value =
                    ["day", "epoch", "two words", "true", "select"][self.pick(5)].to_owned();
                ExprKind::Extract {
                    field: Ident { value, is_quoted, span: Span::default() },
                    operand: Box::new(self.expr()),
                }
            }
            7 => self.trim(),
            8..=10 => ExprKind::Function(Box::new(self.function())),
            11 => ExprKind::Exists(Box::new(self.query())),
            12 | 13 => ExprKind::Subquery(Box::new(self.inner_query())),
            _ => self.leaf(),
        }
    }

    fn quantified(&mut self) -> ExprKind {
        ExprKind::Quantified {
            is_all: self.is(),
            operand: Box::new(expr(match self.pick(3) {
                0 => ExprKind::Subquery(Box::new(self.deeper(Self::inner_query))),
                1 => ExprKind::Nested(Box::new(self.expr())),
                _ => ExprKind::Tuple(self.list(2, Self::expr)),
            })),
        }
    }

    fn trim(&mut self) -> ExprKind {
        let side = [TrimSide::Both, TrimSide::Leading, TrimSide::Trailing][self.pick(3)];
        let characters = match side {
            TrimSide::Both => self.some(|this| Box::new(this.expr())),
            // Behind the word a text has to follow.
            _ => self.some(|this| Box::new(expr(ExprKind::Literal(Literal::Text(this.text()))))),
        };
        ExprKind::Trim { side, characters, operand: Box::new(self.expr()) }
    }

    fn leaf(&mut self) -> ExprKind {
        let text = |this: &mut Self| this.text();
        ExprKind::Literal(match self.pick(20) {
            0 => Literal::Null,
            1 => Literal::Bool(self.is()),
            2..=4 => Literal::Number(
                ["0", "1", "1.5", "1.", "1e3", "1.5E-3", "007"][self.pick(7)].to_owned(),
            ),
            5 | 6 => Literal::Text(text(self)),
            7 => Literal::Duration(
                i64::from([0, 1, 1500, 3_600_000, 90_061_001][self.pick(5)]) * 1000,
            ),
            8 => Literal::Date(text(self)),
            9 => Literal::Timestamp(text(self)),
            10 => Literal::Time(text(self)),
            11 => Literal::Interval(text(self)),
            12 => {
                let mut name = self.name();
                if name.is_quoted {
                    name = Ident { value: "p".to_owned(), is_quoted: false, span: Span::default() };
                }
                return match self.pick(3) {
                    0 => self.typed_parameter(name),
                    _ => ExprKind::Parameter(name),
                };
            }
            _ => return ExprKind::Column(self.path()),
        })
    }

    fn typed_parameter(&mut self, name: Ident) -> ExprKind {
        let kind = ParameterKind::ALL[self.pick(ParameterKind::ALL.len())];
        let data_type = ParameterType { kind, is_list: self.rarely() };
        let default = self.rarely().then(|| {
            let kind = ExprKind::Literal(Literal::Text(self.text()));
            Expr { kind, span: Span::default() }
        });
        let span = Span::default();
        ExprKind::TypedParameter(Box::new(TypedParameter { name, data_type, default, span }))
    }

    fn data_type(&mut self) -> DataType {
        let names = [
            "int",
            "text",
            "double precision",
            "timestamp with time zone",
            "character varying",
            "\"own\"",
        ];
        DataType {
            name: names[self.pick(names.len())].to_owned(),
            arguments: self.possibly_list(|this| this.pick(30) as u64),
            n_array_marks: if self.rarely() { 2 } else { 0 },
            span: Span::default(),
        }
    }

    fn function(&mut self) -> Function {
        let arguments = if self.rarely() {
            Arguments::Star
        } else {
            let items = self.list(0, Self::argument);
            let has_items = !items.is_empty();
            Arguments::List {
                is_distinct: has_items && self.rarely(),
                items,
                order_by: if has_items { self.possibly_list(Self::order_item) } else { Vec::new() },
            }
        };
        Function {
            name: self.path(),
            arguments,
            within_group: self.possibly_list(Self::order_item),
            filter: self.some(Self::expr),
            ignores_nulls: self.some(Self::is),
            over: self.some(|this| match this.pick(2) {
                0 => Over::Named(this.name()),
                _ => Over::Window(Box::new(this.window_spec())),
            }),
        }
    }
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn operation(op: SetOp, is_all: bool, left: SetExpr, right: SetExpr) -> SetExpr {
    // INTERSECT binds tighter; with something looser on its left the operator is another.
    let op = match (&left.kind, op) {
        (SetExprKind::Operation { op: SetOp::Union | SetOp::Except, .. }, SetOp::Intersect) => {
            SetOp::Union
        }
        _ => op,
    };
    let kind = SetExprKind::Operation { op, is_all, left: Box::new(left), right: Box::new(right) };
    SetExpr { kind, span: Span::default() }
}
