//! Decides whether a session touches windows of time when its values may have been cut.
//! A value that was cut may prove that a session belongs; it never proves that it does not.

use std::cmp::Ordering;

use sessionql_plugin_sdk::Timestamp;
use sessionql_plugin_sdk::filters::Span;

/// What an answer shows of a session, and what is known of how it was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) login: Option<Timestamp>,
    pub(crate) logout: Option<Timestamp>,
    pub(crate) cut: Cut,
}

/// On which sides of the bounds that were sent a session goes on, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Whether it began before `start`: its login is then later than it was.
    pub(crate) at_start: Option<bool>,
    /// Whether it ended after `end` or is open: its logout is then earlier than it was, or made up.
    pub(crate) at_end: Option<bool>,
}

/// Tells whether a session touches all windows; `None` if it cannot be told.
///
/// The caller guarantees: a session cut at `start` began before the end of each window, one cut at
/// `end` went on after the begin of each.
pub(crate) fn touches_all(windows: &[Span], shown: &Shown) -> Option<bool> {
    let mut all = Some(true);
    for window in windows {
        match touches(window, shown) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// As the filter `open_during` says: `start < until`, and it is open or `end > since` or
/// `start = end >= since`. A session without a start touches nothing.
fn touches(window: &Span, shown: &Shown) -> Option<bool> {
    match (begins_in_time(window, shown), ends_in_time(window, shown)) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn begins_in_time(window: &Span, shown: &Shown) -> Option<bool> {
    if shown.cut.at_start == Some(true) {
        return Some(true);
    }
    let is_early = shown.login.is_some_and(|login| window.until.is_none_or(|until| login < until));
    // It began when it is shown to have begun, or before.
    (is_early || shown.cut.at_start == Some(false)).then_some(is_early)
}

fn ends_in_time(window: &Span, shown: &Shown) -> Option<bool> {
    let Some(since) = window.since else { return Some(true) };
    if shown.cut.at_end == Some(true) {
        return Some(true);
    }
    let Some(logout) = shown.logout else { return Some(true) };
    match (logout.cmp(&since), shown.cut.at_end) {
        (Ordering::Greater, _) => Some(true),
        (_, None) => None,
        (Ordering::Less, _) => Some(false),
        // Only a session of no length may end where the window begins.
        (Ordering::Equal, _) => match shown.cut.at_start {
            Some(is_cut) => Some(!is_cut && shown.login == Some(logout)),
            None if shown.login == Some(logout) => None,
            None => Some(false),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Span = Span { since: Some(Timestamp(10)), until: Some(Timestamp(20)) };

    fn shown(
        login: i64,
        logout: Option<i64>,
        at_start: Option<bool>,
        at_end: Option<bool>,
    ) -> Shown {
        let (login, logout) = (Some(Timestamp(login)), logout.map(Timestamp));
        Shown { login, logout, cut: Cut { at_start, at_end } }
    }

    fn decide(
        login: i64,
        logout: Option<i64>,
        at_start: Option<bool>,
        at_end: Option<bool>,
    ) -> Option<bool> {
        touches_all(&[WINDOW], &shown(login, logout, at_start, at_end))
    }

    #[test]
    fn true_values_decide() {
        let decide = |login, logout| decide(login, logout, Some(false), Some(false)).unwrap();
        assert!(decide(5, None));
        assert!(decide(5, Some(11)));
        assert!(!decide(5, Some(10)), "has ended where the window begins");
        assert!(decide(10, Some(10)), "an instant");
        assert!(!decide(20, None), "begins where the window ends");
        let cut = Cut { at_start: Some(false), at_end: Some(false) };
        let no_start = Shown { login: None, logout: None, cut };
        assert_eq!(touches_all(&[WINDOW], &no_start), Some(false));
        assert_eq!(touches_all(&[], &no_start), Some(true), "nothing is asked");
    }

    #[test]
    fn a_late_login_decides_only_when_it_is_true() {
        assert_eq!(decide(15, None, None, Some(false)), Some(true));
        assert_eq!(decide(25, None, None, Some(false)), None);
        assert_eq!(decide(25, None, Some(true), Some(false)), Some(true));
        assert_eq!(decide(25, None, Some(false), Some(false)), Some(false));
    }

    #[test]
    fn an_early_logout_decides_only_when_it_is_true() {
        assert_eq!(decide(5, Some(15), Some(false), None), Some(true));
        assert_eq!(decide(5, Some(8), Some(false), None), None);
        assert_eq!(decide(5, Some(8), Some(false), Some(true)), Some(true));
        assert_eq!(decide(5, Some(8), Some(false), Some(false)), Some(false));
    }

    #[test]
    fn an_instant_where_the_window_begins_may_be_a_cut_session() {
        assert_eq!(decide(10, Some(10), None, Some(false)), None);
        assert_eq!(decide(10, Some(10), Some(true), Some(false)), Some(false));
        assert_eq!(decide(10, Some(10), Some(false), Some(false)), Some(true));
        assert_eq!(decide(9, Some(10), None, Some(false)), Some(false));
    }
}
