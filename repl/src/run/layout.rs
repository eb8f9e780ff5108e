//! What the output of a statement looks like: what was asked for, what the screen is, and, for a
//! picture, the range of time that the query is about.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sessionql_grammar::ast::{Expr, Query, SetExprKind, Statement, StatementKind, TimeWindow};

use super::{RunOptions, Runner};
use crate::cli::Format;
use crate::environment;
use crate::preferences::{Preferences, Timing};
use crate::render::{Expanded, Footer, Layout, Picture, Window};
use crate::script::Script;
use crate::times::Bound;

impl Runner {
    /// Returns the layout of rows that are not those of a statement.
    pub(crate) fn layout(&self, options: RunOptions) -> Layout {
        let preferences = &self.preferences;
        // A file or a pipe is no screen: nothing in it is cut.
        let screen = environment::screen_size().filter(|_| !options.is_to_file);
        let (width, height) = screen.unzip();
        let usual = if screen.is_some() { Format::Table } else { Format::Csv };
        let time_zone = self.engine.settings().time_zone;
        Layout {
            format: options.format.or(preferences.format).unwrap_or(usual),
            time_zone,
            width: width.unwrap_or(usize::MAX),
            height,
            text_width: if options.is_to_file { usize::MAX } else { environment::text_width() },
            expanded: if screen.is_some() { preferences.expanded } else { no_auto(preferences) },
            max_rows: preferences.max_rows.filter(|_| screen.is_some()),
            null: Arc::clone(&preferences.null),
            is_interactive: self.is_interactive,
            is_coloured: options.allows_colour && environment::allows_colour(screen.is_some()),
            is_marked: false,
            footer: match (self.is_quiet, preferences.timing) {
                (true, _) => Footer::None,
                (false, Timing::Off) => Footer::Rows,
                (false, Timing::On | Timing::Verbose) => Footer::RowsAndTime,
            },
            guards_formulas: self.guards_formulas,
            follows_output: options.follows_output,
            picture: Picture {
                width: environment::text_width(),
                is_ascii: preferences.is_ascii.unwrap_or_else(|| !environment::takes_unicode()),
                window: self.last_window.get(),
                now: self.times.now.unwrap_or_else(|| self.engine.clock()),
                query: None,
            },
        }
    }

    /// Returns the layout of the rows of a statement.
    pub(super) fn layout_of(
        &self,
        script: &Script,
        statement: &Statement,
        options: RunOptions,
    ) -> Layout {
        let mut layout = self.layout(options);
        match &statement.kind {
            StatementKind::Describe(_) | StatementKind::Show(_) => {
                // What there is is read to the end: its docs go on in further lines.
                layout.height = layout.height.map(|_| usize::MAX);
                if layout.format == Format::Timeline {
                    layout.format = Format::Table;
                }
            }
            StatementKind::Query(query) => {
                layout.picture.window = self.window(script, query, layout.picture.now);
                layout.picture.query =
                    script.text.get(statement.span.start..statement.span.end).map(Arc::from);
            }
            _ => {}
        }
        layout
    }

    /// Returns the window that a query has, or else that of the run, as far as it is written as a
    /// constant.
    fn window(&self, script: &Script, query: &Query, now: DateTime<Utc>) -> Window {
        let zone = self.engine.settings().time_zone;
        let read = |expr: &Expr| {
            let text = script.text.get(expr.span.start..expr.span.end)?;
            let text = text.trim_matches('\'');
            Bound::read(text, zone).ok().map(|bound| bound.before(now))
        };
        match own_window(query) {
            Some(TimeWindow::Between { since, until, .. }) => {
                (since.as_ref().and_then(read), until.as_ref().and_then(read))
            }
            // Of an instant the sessions around it are what there is to see.
            Some(TimeWindow::At { .. }) => (None, None),
            None => {
                let of = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.before(now));
                (of(&self.times.since), of(&self.times.until))
            }
        }
    }
}

/// Returns the window of the query itself; those of queries within it are about their own rows.
fn own_window(query: &Query) -> Option<&TimeWindow> {
    match &query.body.kind {
        SetExprKind::Select(select) => select.time_window.as_ref(),
        SetExprKind::Query(query) => own_window(query),
        SetExprKind::Values(_) | SetExprKind::Operation { .. } => None,
    }
}

/// Returns whether what goes to no screen is printed as a list.
fn no_auto(preferences: &Preferences) -> Expanded {
    match preferences.expanded {
        Expanded::On => Expanded::On,
        Expanded::Off | Expanded::Auto => Expanded::Off,
    }
}
