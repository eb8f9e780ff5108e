//! Follows the cursors of a paged answer and finds out when they run in circles.

use std::collections::HashSet;

use crate::error::{Error, Result};

/// The cursors of one chain of pages.
#[derive(Debug, Default)]
pub struct Cursors {
    seen: HashSet<String>,
}

impl Cursors {
    /// Takes the cursor that a page gave. Returns the one to send next, `None` at the end.
    ///
    /// Pages end by the absence of a cursor and nothing else: a page may be short or empty.
    ///
    /// # Errors
    /// `bad_answer` if a cursor comes a second time, for that would never end.
    pub fn follow(&mut self, cursor: Option<&str>) -> Result<Option<String>> {
        let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
        if self.seen.insert(cursor.to_owned()) {
            return Ok(Some(cursor.to_owned()));
        }
        let n_pages = self.seen.len() + 1;
        Err(Error::bad_answer(format!("page {n_pages} repeats the cursor of an earlier page")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found() {
        let mut cursors = Cursors::default();
        assert_eq!(cursors.follow(Some("a")), Ok(Some("a".to_owned())));
        assert_eq!(cursors.follow(Some("b")), Ok(Some("b".to_owned())));
        assert!(cursors.follow(Some("a")).is_err());
    }

    #[test]
    fn no_cursor_and_an_empty_one_end_the_chain() {
        let mut cursors = Cursors::default();
        assert_eq!(cursors.follow(None), Ok(None));
        assert_eq!(cursors.follow(Some("")), Ok(None));
    }
}
