//! The options of a connection. What the vendor does not state is an option, safe by default.

use sessionql_plugin_sdk::message::{Auth, ConnectionOption};
use sessionql_plugin_sdk::time::MINUTE_US;
use sessionql_plugin_sdk::{ErrorDocument, Options, Reason, WireError, Zone, options};

/// When bounds may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Once the server has shown that it selects sessions that overlap the bounds.
    Prove,
    /// At once: the user knows that it does.
    Overlap,
    /// Never: the user knows that it does not.
    Other,
}

/// What a connection is set to.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How requests are authenticated.
    pub(crate) auth: Auth,
    /// The zone in which the server reads bounds and writes times without an offset.
    pub(crate) zone: Option<Zone>,
    /// When bounds may be sent.
    pub(crate) selection: Selection,
    /// Whether it is known that an unfinished session has no `logoutDate`.
    pub(crate) knows_unfinished: bool,
    /// How far the server's clock may be behind the host's, in microseconds.
    pub(crate) clock_skew_us: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auth: Auth::None,
            zone: None,
            selection: Selection::Prove,
            knows_unfinished: false,
            clock_skew_us: 15 * MINUTE_US,
        }
    }
}

impl Settings {
    /// Reads the options, whose types and values the host has checked.
    ///
    /// # Errors
    /// `config` for all that is wrong at once.
    pub(crate) fn read(options: &Options) -> Result<Self, ErrorDocument> {
        let defaults = Self::default();
        let mut errors = Vec::new();
        let zone = options.text("time_zone").and_then(|name| {
            let zone = Zone::named(name);
            if zone.is_none() {
                let message = format!("option `time_zone` names no time zone: `{name}`");
                let hint = "names are those of the IANA database, such as `Europe/Berlin`";
                errors.push(WireError::new(Reason::Config, message).with_hint(hint));
            }
            zone
        });
        let auth = auth(options, &mut errors);
        if !errors.is_empty() {
            return Err(ErrorDocument { errors });
        }
        Ok(Self {
            auth,
            zone,
            selection: match options.text("selection") {
                Some("overlap") => Selection::Overlap,
                Some("other") => Selection::Other,
                _ => Selection::Prove,
            },
            knows_unfinished: options.text("unfinished") == Some("no_logout"),
            clock_skew_us: options.duration_us("clock_skew").unwrap_or(defaults.clock_skew_us),
        })
    }
}

/// Reads how requests are authenticated. Secret options are checked by the host when it needs them.
fn auth(options: &Options, errors: &mut Vec<WireError>) -> Auth {
    let kind = options.text("auth").unwrap_or("none");
    for (name, needed_by) in [("username", "basic"), ("header", "header")] {
        let message = match (options.text(name).is_some(), kind == needed_by) {
            (false, true) => format!("`auth = \"{kind}\"` needs option `{name}`"),
            (true, false) => format!("option `{name}` is for `auth = \"{needed_by}\"`"),
            _ => continue,
        };
        errors.push(WireError::new(Reason::Config, message));
    }
    match kind {
        "basic" => Auth::Basic { username: "username".to_owned(), password: "password".to_owned() },
        "bearer" => Auth::Bearer { token: "token".to_owned() },
        "header" => Auth::Header {
            header: options.text("header").unwrap_or_default().to_owned(),
            value: "value".to_owned(),
        },
        _ => Auth::None,
    }
}

/// Declares the options for the manifest.
pub(crate) fn declare() -> Vec<ConnectionOption> {
    let defaults = Settings::default();
    let secret = |name, doc| ConnectionOption { secret: true, ..options::text(name, doc) };
    vec![
        options::choice(
            "auth",
            ["none", "basic", "bearer", "header"],
            "How requests are authenticated: not at all, or with the options named below.",
        ),
        options::text("username", "User name for `auth = \"basic\"`."),
        secret("password", "Password for `auth = \"basic\"`."),
        secret("token", "Token for `auth = \"bearer\"`."),
        options::text("header", "Name of the header for `auth = \"header\"`."),
        secret("value", "Value of the header for `auth = \"header\"`."),
        options::text(
            "time_zone",
            "Time zone of the server; without it no bound is sent, and a time without offset is an error.",
        ),
        options::choice(
            "selection",
            ["prove", "overlap", "other"],
            "Whether bounds select the sessions that overlap them: to be proven first, known, or known not to.",
        ),
        options::choice(
            "unfinished",
            ["unknown", "no_logout"],
            "Whether it is known that an unfinished session has no `logoutDate`.",
        ),
        options::duration(
            "clock_skew",
            Some(defaults.clock_skew_us),
            "How far the server's clock may be behind; no bound is later.",
        ),
    ]
}
