//! Nodes of the engine's tree with nothing in them, and small ones that are built often.
//! The engine's tree has fields for many dialects; those we never use are named here alone. Its large
//! nodes are boxed at once, so that lowering, which recurses, does not hold them on the stack.

use datafusion::sql::sqlparser::ast as sql;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;

/// Returns `SELECT` without anything.
pub(super) fn select() -> Box<sql::Select> {
    Box::new(sql::Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: Vec::new(),
        exclude: None,
        into: None,
        from: Vec::new(),
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: sql::GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: sql::SelectFlavor::Standard,
    })
}

/// Returns a query that is a body and nothing else.
pub(super) fn query(body: Box<sql::SetExpr>) -> Box<sql::Query> {
    Box::new(sql::Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    })
}

/// Returns a SELECT as the body of a query.
pub(super) fn body(select: Box<sql::Select>) -> Box<sql::SetExpr> {
    Box::new(sql::SetExpr::Select(select))
}

/// Returns a table of a name.
pub(super) fn table(name: Vec<sql::Ident>, alias: Option<sql::TableAlias>) -> sql::TableFactor {
    sql::TableFactor::Table {
        name: name.into(),
        alias,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// Returns a query as a table.
pub(super) fn derived(
    query: Box<sql::Query>,
    alias: Option<sql::TableAlias>,
    lateral: bool,
) -> sql::TableFactor {
    sql::TableFactor::Derived { lateral, subquery: query, alias, sample: None }
}

/// Returns `AS name`.
pub(super) fn alias(name: sql::Ident) -> sql::TableAlias {
    sql::TableAlias { explicit: true, name, columns: Vec::new(), at: None }
}

/// Returns `*` without options.
pub(super) fn wildcard() -> sql::WildcardAdditionalOptions {
    sql::WildcardAdditionalOptions {
        wildcard_token: AttachedToken::empty(),
        opt_ilike: None,
        opt_exclude: None,
        opt_except: None,
        opt_replace: None,
        opt_rename: None,
        opt_alias: None,
    }
}

/// Returns a name that is matched exactly.
pub(super) fn quoted(name: &str) -> sql::Ident {
    sql::Ident::with_quote('"', name)
}

/// Returns a text.
pub(super) fn text(text: impl Into<String>) -> sql::Expr {
    sql::Expr::value(sql::Value::SingleQuotedString(text.into()))
}

/// Returns a number.
pub(super) fn number(digits: impl Into<String>) -> sql::Expr {
    sql::Expr::value(sql::Value::Number(digits.into(), false))
}

/// Returns an interval as the engine reads it.
pub(super) fn interval(text: &str) -> sql::Expr {
    sql::Expr::Interval(sql::Interval {
        value: Box::new(self::text(text)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

/// Returns a call of a function with positional arguments.
pub(super) fn call(name: &str, arguments: impl IntoIterator<Item = sql::Expr>) -> sql::Expr {
    let unnamed = |argument| sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(argument));
    sql::Expr::Function(function(
        vec![sql::Ident::new(name)],
        arguments.into_iter().map(unnamed).collect(),
    ))
}

/// Returns a call with nothing around it.
pub(super) fn function(name: Vec<sql::Ident>, args: Vec<sql::FunctionArg>) -> sql::Function {
    let args = sql::FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    sql::Function {
        name: name.into(),
        uses_odbc_syntax: false,
        parameters: sql::FunctionArguments::None,
        args: sql::FunctionArguments::List(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}

/// Returns an operator between two operands.
pub(super) fn binary(left: sql::Expr, op: sql::BinaryOperator, right: sql::Expr) -> sql::Expr {
    sql::Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// Returns an expression as a float.
pub(super) fn float(expr: sql::Expr) -> sql::Expr {
    sql::Expr::Cast {
        kind: sql::CastKind::Cast,
        expr: Box::new(expr),
        data_type: sql::DataType::DoublePrecision,
        array: false,
        format: None,
    }
}

/// Returns parentheses around an expression.
pub(super) fn nested(expr: sql::Expr) -> sql::Expr {
    sql::Expr::Nested(Box::new(expr))
}

/// Returns the truth value that is neither true nor false.
pub(super) fn unknown() -> sql::Expr {
    sql::Expr::Cast {
        kind: sql::CastKind::Cast,
        expr: Box::new(sql::Expr::value(sql::Value::Null)),
        data_type: sql::DataType::Boolean,
        array: false,
        format: None,
    }
}
