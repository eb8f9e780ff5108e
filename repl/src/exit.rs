//! The exit codes: a contract that scripts depend on.

use std::process::ExitCode;

use sessionql_core::error::Class;
use sessionql_core::{Error, Reason};

use crate::signals::Stop;

/// How the program ends; of several ends the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Ran, complete, as expected.
    Success,
    /// Ran, complete, not as expected.
    Unexpected,
    /// Wrong before the first data request.
    Input,
    /// Ran, but something is missing.
    Incomplete,
    /// A plugin is not found or refused.
    Plugin,
    /// A scan or the run failed.
    Failed,
    /// The deadline passed.
    Timeout,
    /// The user interrupted it.
    Interrupted,
    /// The system asked it to end.
    Terminated,
}

impl Exit {
    /// Returns how an error ends the program. A provider that ran out of time counts as the
    /// deadline if there was one.
    pub(crate) fn of(error: &Error, has_timeout: bool) -> Self {
        if let Error::Scan { error, .. } = error
            && error.code == Reason::Timeout
            && has_timeout
        {
            return Self::Timeout;
        }
        match error.class() {
            Class::Input => Self::Input,
            Class::Failed => Self::Failed,
            Class::Plugin => Self::Plugin,
            Class::Timeout => Self::Timeout,
            Class::Cancelled => Self::Interrupted,
        }
    }

    /// Returns the number that the system is told.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Unexpected => 1,
            Self::Input => 2,
            Self::Failed => 3,
            Self::Incomplete => 4,
            Self::Plugin => 5,
            Self::Timeout => 124,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Tells whether there is a result that may replace an older one.
    pub(crate) fn has_result(self) -> bool {
        matches!(self, Self::Success | Self::Unexpected | Self::Incomplete)
    }
}

impl From<Stop> for Exit {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Interrupted => Self::Interrupted,
            Stop::Terminated => Self::Terminated,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_code_counts() {
        let order = [3, 5, 4, 2, 1, 0];
        let mut exits = vec![
            Exit::Success,
            Exit::Unexpected,
            Exit::Input,
            Exit::Failed,
            Exit::Incomplete,
            Exit::Plugin,
        ];
        exits.sort();
        exits.reverse();
        assert_eq!(exits.into_iter().map(Exit::code).collect::<Vec<_>>(), order);
    }

    #[test]
    fn a_provider_out_of_time_is_the_deadline_only_if_there_is_one() {
        let error = scan_error("timeout");
        assert_eq!(Exit::of(&error, true), Exit::Timeout);
        assert_eq!(Exit::of(&error, false), Exit::Failed);
        assert_eq!(Exit::of(&scan_error("auth"), true), Exit::Failed);
        assert_eq!(Exit::of(&scan_error("config"), true), Exit::Input);
    }

    fn scan_error(code: &str) -> Error {
        let error = serde_json::json!({"code": code, "message": "m"});
        let (connection, table) = ("c".to_owned(), "t".to_owned());
        Error::Scan { connection, table, error: serde_json::from_value(error).unwrap() }
    }
}
