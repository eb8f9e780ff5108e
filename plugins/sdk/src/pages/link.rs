//! Reads the header `Link`. Source: RFC 8288, section 3; RFC 9110, section 5.6.

/// Returns where the links of relation `next` lead, in all `Link` headers of an answer.
///
/// # Errors
/// What is wrong with a header, as the end of a sentence; a header that cannot be read is no end of
/// pages.
pub(super) fn next<'a>(values: impl Iterator<Item = &'a str>) -> Result<Option<String>, String> {
    let mut found: Option<String> = None;
    for value in values {
        let mut rest = Rest(value);
        while rest.skip_to_link() {
            let Some(link) = rest.link() else {
                let shown: String = value.chars().take(200).collect();
                return Err(format!("that cannot be read: `{shown}`"));
            };
            let Some(target) = link else { continue };
            if found.as_ref().is_some_and(|found| *found != target) {
                return Err("with several next pages".to_owned());
            }
            found = Some(target);
        }
    }
    Ok(found)
}

/// What is left of a header.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, mark: char) -> bool {
        self.skip_blanks();
        let rest = self.0.strip_prefix(mark);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Goes to the next link of the list; false at its end. Elements may be empty.
    fn skip_to_link(&mut self) -> bool {
        while self.take(',') {}
        !self.0.is_empty()
    }

    /// Reads a link: its target if its relation is `next`, `None` outside if it is malformed.
    fn link(&mut self) -> Option<Option<String>> {
        let (target, rest) = self.0.strip_prefix('<')?.split_once('>')?;
        self.0 = rest;
        let (mut relation, mut is_about_page) = (None, true);
        while self.take(';') {
            self.skip_blanks();
            // An empty parameter, as in `;;`, is none.
            if self.0.is_empty() || self.0.starts_with([';', ',']) {
                continue;
            }
            let name = self.token()?.to_ascii_lowercase();
            let value = if self.take('=') { self.value()? } else { String::new() };
            match name.as_str() {
                // Of several the first counts.
                "rel" => relation = relation.or(Some(value)),
                "anchor" => is_about_page = false,
                _ => {}
            }
        }
        self.skip_blanks();
        if !self.0.is_empty() && !self.0.starts_with(',') {
            return None;
        }
        let relation = relation.unwrap_or_default();
        let is_next = relation.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("next"));
        Some((is_next && is_about_page).then(|| target.trim().to_owned()))
    }

    fn token(&mut self) -> Option<&'a str> {
        let ends =
            |c: char| c.is_ascii_whitespace() || matches!(c, '=' | ';' | ',' | '"' | '<' | '>');
        let (token, rest) = self.0.split_at(self.0.find(ends).unwrap_or(self.0.len()));
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// Reads a value: a token, or text in quotes in which a backslash stands before any character.
    fn value(&mut self) -> Option<String> {
        self.skip_blanks();
        let Some(quoted) = self.0.strip_prefix('"') else { return self.token().map(str::to_owned) };
        let mut text = String::new();
        let mut characters = quoted.char_indices();
        loop {
            match characters.next()? {
                (at, '"') => {
                    self.0 = &quoted[at + 1..];
                    return Some(text);
                }
                (_, '\\') => text.push(characters.next()?.1),
                (_, character) => text.push(character),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, String> {
        next(values.iter().copied())
    }

    #[test]
    fn the_next_page_is_found_among_links() {
        for value in [
            "</a?p=2>; rel=\"next\"",
            "</a?p=2>;rel=next",
            "</a?p=2>; REL=\"Next\"",
            "</a?p=1>; rel=\"first\", </a?p=2>; rel=\"next\", </a?p=9>; rel=last",
            "</a?p=2>; title=\"a, b; \\\"c\\\" <d>\"; rel=\"prefetch next\"",
            " , ,</a?p=2>;;rel = \"next\" ; title*=UTF-8'de'n%c3%a4chstes ,",
            "</a?p=2>; crossorigin; rel=next; rel=last",
            "</other>; rel=next; anchor=\"#there\", </a?p=2>; rel=next",
        ] {
            assert_eq!(read(&[value]), Ok(Some("/a?p=2".to_owned())), "{value}");
        }
        let apart = ["</a?p=1>; rel=prev", "</a?p=2,3>; rel=next"];
        assert_eq!(read(&apart), Ok(Some("/a?p=2,3".to_owned())));
    }

    #[test]
    fn no_link_to_a_next_page_is_the_end() {
        for value in
            ["", " , ", "</a>; rel=last", "</a>", "</a>; rel=\"nextish\"", "</a>; title=next"]
        {
            assert_eq!(read(&[value]), Ok(None), "{value}");
        }
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_no_end() {
        for value in
            ["/a; rel=next", "</a; rel=next", "</a> rel=next", "</a>; rel=\"next", "</a>; =x"]
        {
            assert!(read(&[value]).unwrap_err().contains("cannot be read"), "{value}");
        }
        let two = read(&["</a>; rel=next, </b>; rel=next"]);
        assert_eq!(two, Err("with several next pages".to_owned()));
        assert_eq!(read(&["</a>; rel=next", "</a>; rel=next"]), Ok(Some("/a".to_owned())));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(value in "[<>;,=\"\\\\ a-crelnxt/?]{0,40}") {
            drop(read(&[&value]));
        }

        #[test]
        fn links_are_found_whatever_stands_beside_them(
            target in "[a-z/?=&,;]{1,20}",
            title in "[ -~&&[^\"\\\\]]{0,20}",
        ) {
            let value = format!("<x>; rel=prev; title=\"{title}\", <{target}>; title=\"{title}\"; rel=next");
            prop_assert_eq!(read(&[&value]), Ok(Some(target)));
        }
    }
}
