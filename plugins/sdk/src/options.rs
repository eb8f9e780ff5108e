//! Declares the options of a connection for the manifest.
//!
//! ```
//! use sessionql_plugin_sdk::options;
//! use sessionql_plugin_sdk::time::MINUTE_US;
//!
//! let declared = vec![
//!     options::secret("token", "Token of the API."),
//!     options::choice("region", ["eu", "us"], "Where the account lives."),
//!     options::duration("slack", Some(MINUTE_US), "How far the API's clock may be off."),
//! ];
//! assert!(declared[0].secret && declared[0].required);
//! assert_eq!(declared[1].default, Some("eu".into()));
//! ```

use sessionql_plugin_abi::message::{ConnectionOption, OptionType};

/// Declares text that may be left out.
pub fn text(name: &str, doc: &str) -> ConnectionOption {
    ConnectionOption { name: name.to_owned(), doc: doc.to_owned(), ..ConnectionOption::default() }
}

/// Declares text that must be given.
pub fn required(name: &str, doc: &str) -> ConnectionOption {
    ConnectionOption { required: true, ..text(name, doc) }
}

/// Declares a secret that must be given. The host keeps it.
pub fn secret(name: &str, doc: &str) -> ConnectionOption {
    ConnectionOption { secret: true, ..required(name, doc) }
}

/// Declares an option with few values, of which the first is the default.
pub fn choice<const N: usize>(name: &str, values: [&str; N], doc: &str) -> ConnectionOption {
    ConnectionOption {
        default: values.first().map(|value| (*value).into()),
        values: values.map(str::to_owned).into(),
        ..text(name, doc)
    }
}

/// Declares `true` or `false`, with `false` as the default.
pub fn flag(name: &str, doc: &str) -> ConnectionOption {
    let default = Some(false.into());
    ConnectionOption { option_type: OptionType::Bool, default, ..text(name, doc) }
}

/// Declares a whole number.
pub fn int(name: &str, default: Option<i64>, doc: &str) -> ConnectionOption {
    let default = default.map(Into::into);
    ConnectionOption { option_type: OptionType::Int, default, ..text(name, doc) }
}

/// Declares a duration, in microseconds.
pub fn duration(name: &str, default_us: Option<i64>, doc: &str) -> ConnectionOption {
    let default = default_us.map(Into::into);
    ConnectionOption { option_type: OptionType::Duration, default, ..text(name, doc) }
}
