//! EXCEPT ALL and INTERSECT ALL, which count the copies of a row.
//! The engine's do not count. With the number of each copy beside it, no two rows are equal, and the
//! operators without ALL are right.

use datafusion::sql::sqlparser::ast as sql;

use super::blank;
use super::scope::Column;

/// The name of a side.
const SIDE: &str = "__side";

/// The name of the column that numbers copies.
const COPY: &str = "__copy";

/// Returns `left op ALL right`, of which both sides have these many columns.
pub(super) fn operation(
    left: Box<sql::SetExpr>,
    op: sql::SetOperator,
    right: Box<sql::SetExpr>,
    columns: &[Column],
) -> Box<sql::SetExpr> {
    let set_operation = Box::new(sql::SetExpr::SetOperation {
        left: numbered(left, columns.len()),
        op,
        set_quantifier: sql::SetQuantifier::None,
        right: numbered(right, columns.len()),
    });
    let mut select = blank::select();
    select.projection = (1..)
        .zip(columns)
        .map(|(n, column)| sql::SelectItem::ExprWithAlias {
            expr: value(n),
            alias: blank::quoted(&column.name),
        })
        .collect();
    from(&mut select, set_operation, columns.len() + 1);
    blank::body(select)
}

/// Returns the rows of a side, each with the number of its copy.
fn numbered(side: Box<sql::SetExpr>, n_columns: usize) -> Box<sql::SetExpr> {
    let mut call = blank::function(vec![sql::Ident::new("row_number")], Vec::new());
    call.over = Some(sql::WindowType::WindowSpec(sql::WindowSpec {
        window_name: None,
        partition_by: (1..=n_columns).map(value).collect(),
        order_by: Vec::new(),
        window_frame: None,
    }));
    let mut select = blank::select();
    let columns = (1..=n_columns).map(value).map(sql::SelectItem::UnnamedExpr);
    select.projection = columns.collect();
    select.projection.push(sql::SelectItem::ExprWithAlias {
        expr: sql::Expr::Function(call),
        alias: blank::quoted(COPY),
    });
    from(&mut select, side, n_columns);
    blank::body(select)
}

fn value(n: usize) -> sql::Expr {
    sql::Expr::Identifier(blank::quoted(&format!("__value{n}")))
}

/// Puts a query into FROM, its columns named by their numbers.
fn from(select: &mut sql::Select, body: Box<sql::SetExpr>, n_columns: usize) {
    let column = |n| sql::TableAliasColumnDef {
        name: blank::quoted(&format!("__value{n}")),
        data_type: None,
    };
    let columns = (1..=n_columns).map(column).collect();
    let alias = sql::TableAlias { columns, ..blank::alias(blank::quoted(SIDE)) };
    let relation = blank::derived(blank::query(body), Some(alias), false);
    select.from = vec![sql::TableWithJoins { relation, joins: Vec::new() }];
}
