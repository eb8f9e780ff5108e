//! `[geoip]`: the databases that `geoip` looks into. Nothing is opened here.

use std::path::PathBuf;

use super::read::Reader;
use crate::error::ConfigError;
use crate::geo::PlaceSources;

/// Reads the table.
pub(super) fn read(table: &mut Reader<'_>) -> Result<PlaceSources, ConfigError> {
    let files = table.take_texts("files")?.unwrap_or_default();
    table.finish("`[geoip]`", &["files"])?;
    if files.is_empty() || files.iter().any(String::is_empty) {
        return Err(table
            .error("`[geoip]` names no database".to_owned())
            .with_hint("such as `files = [\"GeoLite2-City.mmdb\"]`"));
    }
    Ok(PlaceSources { files: files.into_iter().map(PathBuf::from).collect(), given: None })
}
