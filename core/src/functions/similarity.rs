//! `edit_similarity(a, b)`: how alike two texts are, from 0 to 1: 1 less the share of characters that
//! must be changed, added or removed to make one of the other.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

/// The most characters of a text: the work grows with the product of the lengths.
const MAX_CHARACTERS: usize = 10_000;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct EditSimilarity {
    signature: Signature,
}

impl EditSimilarity {
    /// Returns the function.
    pub(super) fn new() -> Self {
        let types = vec![DataType::Utf8; 2];
        Self { signature: Signature::exact(types, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for EditSimilarity {
    fn name(&self) -> &str {
        "edit_similarity"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (left, right) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
        let mut comparison = Comparison::default();
        let mut similarities = Float64Array::builder(left.len());
        for row in 0..left.len() {
            if left.is_null(row) || right.is_null(row) {
                similarities.append_null();
            } else {
                similarities
                    .append_value(comparison.similarity(left.value(row), right.value(row))?);
            }
        }
        Ok(ColumnarValue::Array(Arc::new(similarities.finish())))
    }
}

/// Compares texts, one pair after the other.
#[derive(Debug, Default)]
struct Comparison {
    left: Vec<char>,
    right: Vec<char>,
    columns: Vec<Column>,
    ascii: Vec<u64>,
    others: HashMap<char, Vec<u64>>,
}

/// 64 rows of the column of the table of distances: where a step down costs one more, or one less.
#[derive(Debug, Clone, Copy)]
struct Column {
    more: u64,
    less: u64,
}

impl Comparison {
    fn similarity(&mut self, left: &str, right: &str) -> Result<f64> {
        if left == right {
            return Ok(1.0);
        }
        self.left.clear();
        self.right.clear();
        self.left.extend(left.chars().take(MAX_CHARACTERS + 1));
        self.right.extend(right.chars().take(MAX_CHARACTERS + 1));
        let longest = self.left.len().max(self.right.len());
        if longest > MAX_CHARACTERS {
            return exec_err!("`edit_similarity` takes texts of up to 10,000 characters");
        }
        Ok(1.0 - self.distance() as f64 / longest as f64)
    }

    /// Returns the Levenshtein distance of the two texts.
    /// Source: G. Myers, "A fast bit-vector algorithm for approximate string matching", 1999, in the
    /// form of H. Hyyrö, 2003: a word holds 64 cells of a column as differences between neighbours.
    fn distance(&mut self) -> usize {
        let n_same = self.left.iter().zip(&self.right).take_while(|(a, b)| a == b).count();
        let (left, right) = (&self.left[n_same..], &self.right[n_same..]);
        let n_same_end =
            left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count();
        let left = &left[..left.len() - n_same_end];
        let right = &right[..right.len() - n_same_end];
        if left.is_empty() || right.is_empty() {
            return left.len().max(right.len());
        }
        let n_words = left.len().div_ceil(64);
        // For each character, the rows at which it stands on the left.
        self.ascii.clear();
        self.ascii.resize(128 * n_words, 0);
        self.others.clear();
        for (row, character) in left.iter().enumerate() {
            let (word, bit) = (row / 64, 1 << (row % 64));
            match usize::try_from(u32::from(*character)) {
                Ok(code @ 0..128) => self.ascii[code * n_words + word] |= bit,
                _ => self.others.entry(*character).or_insert_with(|| vec![0; n_words])[word] |= bit,
            }
        }
        self.columns.clear();
        self.columns.resize(n_words, Column { more: !0, less: 0 });
        let last_bit = 1 << ((left.len() - 1) % 64);
        let mut distance = left.len();
        for character in right {
            let rows = match usize::try_from(u32::from(*character)) {
                Ok(code @ 0..128) => Some(&self.ascii[code * n_words..(code + 1) * n_words]),
                _ => self.others.get(character).map(Vec::as_slice),
            };
            let (mut carry_more, mut carry_less) = (1, 0);
            for (word, column) in self.columns.iter_mut().enumerate() {
                let matches = rows.map_or(0, |rows| rows[word]) | carry_less;
                let diagonal = (((matches & column.more).wrapping_add(column.more)) ^ column.more)
                    | matches
                    | column.less;
                let mut more = column.less | !(diagonal | column.more);
                let mut less = diagonal & column.more;
                if word + 1 == n_words {
                    distance += usize::from(more & last_bit != 0);
                    distance -= usize::from(less & last_bit != 0);
                }
                let (more_out, less_out) = (more >> 63, less >> 63);
                more = (more << 1) | carry_more;
                less = (less << 1) | carry_less;
                (carry_more, carry_less) = (more_out, less_out);
                *column = Column { more: less | !(diagonal | more), less: more & diagonal };
            }
        }
        distance
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn similarity(left: &str, right: &str) -> f64 {
        Comparison::default().similarity(left, right).unwrap()
    }

    #[test]
    fn characters_count_and_not_bytes() {
        assert_eq!(similarity("", ""), 1.0);
        assert_eq!(similarity("", "ab"), 0.0);
        assert_eq!(similarity("kitten", "sitting"), 1.0 - 3.0 / 7.0);
        assert_eq!(similarity("Jürgen", "Jurgen"), 1.0 - 1.0 / 6.0);
        assert_eq!(similarity("naïve🙂", "naive🙂"), 1.0 - 1.0 / 6.0);
        assert_eq!(similarity("Ab", "ab"), 0.5, "case counts");
    }

    #[test]
    fn long_texts_are_refused() {
        let long = "é".repeat(MAX_CHARACTERS);
        assert_eq!(similarity(&long, "x"), 0.0);
        let refused = Comparison::default().similarity(&(long + "é"), "x").unwrap_err();
        assert!(refused.to_string().contains("10,000"), "{refused}");
    }

    fn text() -> impl Strategy<Value = String> {
        // Few letters, so that texts are alike, and lengths on both sides of a word of 64.
        prop_oneof![
            "[abé🙂]{0,12}",
            "[abé]{60,70}",
            "[ab]{120,135}",
            "(abcdefghij){5,15}[a-z]{0,5}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn as_the_table_of_all_distances_says(pairs in proptest::collection::vec((text(), text()), 1..4)) {
            let mut comparison = Comparison::default();
            for (left, right) in &pairs {
                let due = strsim::normalized_levenshtein(left, right);
                let found = comparison.similarity(left, right).unwrap();
                prop_assert!((found - due).abs() < 1e-12, "{left} {right}: {found}, not {due}");
            }
        }
    }
}
