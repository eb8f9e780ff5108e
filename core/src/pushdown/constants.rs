//! Columns that have one value in all rows of a scan, `provider` and `connection`: filters on them
//! are decided before anything is asked.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

/// Filters of which the constant columns are known.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// What other columns must decide.
    pub open: Vec<Expr>,
    /// What holds for every row.
    pub decided: Vec<Expr>,
}

/// Returns the filters with these columns, by name, replaced by their texts; `None` if one can pass
/// no row. Filters on other columns stay as they are.
///
/// # Errors
/// If the engine cannot simplify one.
pub(crate) fn fold(
    filters: &[Expr],
    constants: &[(&str, &str)],
    schema: &DFSchema,
) -> Result<Option<Folded>> {
    let context = SimplifyContext::builder().with_schema(Arc::new(schema.clone())).build();
    let simplifier = ExprSimplifier::new(context);
    let mut folded = Folded::default();
    for filter in filters {
        let replaced = filter.clone().transform(|expr| {
            let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
            let constant = constants.iter().find(|(name, _)| *name == column.name);
            Ok(match constant {
                Some((_, text)) => Transformed::yes(lit(*text)),
                None => Transformed::no(expr),
            })
        })?;
        if !replaced.transformed {
            folded.open.push(replaced.data);
            continue;
        }
        match simplifier.simplify(replaced.data)? {
            Expr::Literal(ScalarValue::Boolean(Some(true)), _) => {
                folded.decided.push(filter.clone());
            }
            Expr::Literal(ScalarValue::Boolean(_) | ScalarValue::Null, _) => return Ok(None),
            open => folded.open.push(open),
        }
    }
    Ok(Some(folded))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::logical_expr::{col, in_list};

    use super::*;

    const CONSTANTS: [(&str, &str); 2] = [("provider", "openvpn"), ("connection", "vpn_eu")];

    fn fold_one(filter: Expr) -> Option<Vec<String>> {
        let text = |name| Field::new(name, DataType::Utf8, true);
        let schema = Schema::new(vec![text("user"), text("provider"), text("connection")]);
        let schema = DFSchema::try_from(schema).unwrap();
        let folded = fold(&[filter], &CONSTANTS, &schema).unwrap();
        folded.map(|folded| folded.open.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_filter_that_holds_for_all_rows_is_gone() {
        assert_eq!(fold_one(col("connection").eq(lit("vpn_eu"))), Some(vec![]));
        assert_eq!(fold_one(col("provider").not_eq(lit("formal"))), Some(vec![]));
    }

    #[test]
    fn a_filter_that_no_row_passes_prunes() {
        assert_eq!(fold_one(col("connection").eq(lit("vpn_us"))), None);
        assert_eq!(fold_one(in_list(col("provider"), vec![lit("oam"), lit("ekran")], false)), None);
        assert_eq!(fold_one(col("provider").eq(lit(ScalarValue::Utf8(None)))), None);
        assert_eq!(fold_one(col("provider").like(lit("form%"))), None);
    }

    #[test]
    fn what_other_columns_decide_stays() {
        let filter = col("connection").eq(lit("vpn_us")).or(col("user").eq(lit("ann")));
        assert_eq!(fold_one(filter), Some(vec!["user = Utf8(\"ann\")".to_owned()]));
        assert_eq!(
            fold_one(col("user").eq(lit("ann"))),
            Some(vec!["user = Utf8(\"ann\")".to_owned()])
        );
    }

    #[test]
    fn two_columns_of_the_same_rows_are_compared() {
        assert_eq!(fold_one(col("connection").eq(col("provider"))), None);
    }
}
