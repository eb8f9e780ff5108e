//! Where secret values come from. They are resolved when a connection is first used.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

use crate::error::ConfigError;

/// A value that is kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file; one line break at its end does not count.
    File(PathBuf),
}

/// Looks an environment variable up.
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Resolves references. The environment is asked through a function, because this crate reads none.
#[derive(Clone)]
pub struct Secrets {
    environment: Arc<Environment>,
}

impl Secrets {
    /// Returns a resolver that looks environment variables up with `environment`.
    pub fn new(environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { environment: Arc::new(environment) }
    }

    /// Returns the value that a reference names.
    ///
    /// # Errors
    /// [`ConfigError`] if the variable is not set, or the file cannot be read.
    pub fn resolve(&self, reference: &SecretRef) -> Result<SecretString, ConfigError> {
        match reference {
            SecretRef::Env(name) => match (self.environment)(name) {
                Some(value) if !value.is_empty() => Ok(value.into()),
                _ => Err(ConfigError::new(format!("the environment variable `{name}` is not set"))),
            },
            SecretRef::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    ConfigError::new(format!(
                        "the file `{}` cannot be read: {error}",
                        path.display()
                    ))
                })?;
                let value = text.strip_suffix('\n').unwrap_or(&text);
                let value = value.strip_suffix('\r').unwrap_or(value);
                if value.is_empty() {
                    return Err(ConfigError::new(format!(
                        "the file `{}` is empty",
                        path.display()
                    )));
                }
                Ok(value.into())
            }
        }
    }
}

impl Default for Secrets {
    /// Returns a resolver that knows no environment variable.
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets")
    }
}

/// Tells whether only the owner may read or write a file.
#[cfg(unix)]
pub(super) fn is_private(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0)
}

/// Tells whether only the owner may read or write a file; not checked on this system.
#[cfg(not(unix))]
pub(super) fn is_private(_file: &Path) -> bool {
    true
}
