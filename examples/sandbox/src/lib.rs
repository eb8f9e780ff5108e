//! Emulators of the providers' APIs on loopback, with the sample data of an imaginary company.
//! In: a seed and a clock. Out: `Sandbox`, running servers and the configuration that points `sessionql` at them.
//! Used by tests, by the demo and by hand (`sandbox`). A server binds to 127.0.0.1 and never connects to anything.
//!
//! `server.rs`, `faults.rs` and `record.rs` are the same for all emulators; each provider has a directory of its own.

pub mod clock;
pub mod company;
pub mod ekran;
pub mod faults;
pub mod formal;
pub mod message;
pub mod oam;
pub mod openvpn;
pub mod places;
pub mod record;
pub mod server;
pub mod wire;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::Clock;
pub use company::Company;
pub use faults::{Fault, On};
pub use message::{Answer, Kind, Request};
pub use record::Recorded;

/// How a sandbox starts.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Chooses the sample data.
    pub seed: u64,
    /// The time that all emulators live in; the data is of the weeks before its present.
    pub clock: Clock,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self { seed: 1, clock: Clock::system() }
    }
}

/// One running emulator of each provider, all with the same people.
#[derive(Debug)]
pub struct Sandbox {
    /// OpenVPN CloudConnexa.
    pub openvpn: openvpn::Emulator,
    /// Formal.
    pub formal: formal::Emulator,
    /// Oracle Access Manager.
    pub oam: oam::Emulator,
    /// Ekran System.
    pub ekran: ekran::Emulator,
    /// The file with the places of the sample data's addresses.
    places: Vec<u8>,
}

impl Sandbox {
    /// Starts all emulators on free ports.
    ///
    /// # Errors
    /// The system has no socket or no thread left.
    pub fn start(options: SandboxOptions) -> io::Result<Self> {
        let SandboxOptions { seed, clock } = options;
        let openvpn = openvpn::Emulator::start(openvpn::Options::seeded(seed, clock.clone()))?;
        let formal = formal::Emulator::start(formal::Options::seeded(seed, clock.clone()))?;
        let oam = oam::Emulator::start(oam::Options::seeded(seed, clock.clone()))?;
        let ekran = ekran::Emulator::start(ekran::Options::seeded(seed, clock))?;
        let places = places::database(&places::of_company(&Company::seeded(seed)))?;
        Ok(Self { openvpn, formal, oam, ekran, places })
    }

    /// Returns a configuration with a connection to each emulator.
    pub fn config_toml(&self) -> String {
        [
            openvpn_toml(&self.openvpn),
            formal_toml(&self.formal),
            oam_toml(&self.oam),
            ekran_toml(&self.ekran) + EKRAN_IS_KNOWN,
        ]
        .join("\n")
    }

    /// Writes `config.toml` into a directory, readable by its owner alone since it holds secrets, and
    /// the database of places that it names. Returns its path.
    ///
    /// # Errors
    /// The directory does not exist or may not be written to.
    pub fn write_config(&self, dir: &Path) -> io::Result<PathBuf> {
        let places_toml = self.write_places(dir)?;
        write_config(dir, &format!("{}\n{places_toml}", self.config_toml()))
    }

    /// Writes the database of places into a directory. Returns the part of a configuration that names
    /// it.
    ///
    /// # Errors
    /// The directory does not exist or may not be written to.
    pub fn write_places(&self, dir: &Path) -> io::Result<String> {
        let path = dir.join("places.mmdb");
        std::fs::write(&path, &self.places)?;
        Ok(format!("[geoip]\nfiles = [{path:?}]\n"))
    }
}

/// What somebody who knows their Ekran server would tell: it need not be found out by requests.
pub const EKRAN_IS_KNOWN: &str = "selection = \"overlap\"\nunfinished = \"no_logout\"\n";

/// Returns the part of a configuration that connects `openvpn` to an emulator.
pub fn openvpn_toml(emulator: &openvpn::Emulator) -> String {
    let base_url = emulator.base_url();
    let (client_id, client_secret) = (emulator.client_id(), emulator.client_secret());
    format!(
        "[connections.openvpn]\nplugin = \"openvpn\"\nbase_url = {base_url:?}\n\
         client_id = {client_id:?}\nclient_secret = {client_secret:?}\n"
    )
}

/// Returns the part of a configuration that connects `ekran` to an emulator.
pub fn ekran_toml(emulator: &ekran::Emulator) -> String {
    let base_url = emulator.base_url();
    let time_zone = emulator.switches().time_zone.name();
    let auth = match emulator.auth() {
        ekran::Auth::None => "auth = \"none\"\n".to_owned(),
        ekran::Auth::Basic { username, password } => {
            format!("auth = \"basic\"\nusername = {username:?}\npassword = {password:?}\n")
        }
        ekran::Auth::Bearer { token } => format!("auth = \"bearer\"\ntoken = {token:?}\n"),
        ekran::Auth::Header { name, value } => {
            format!("auth = \"header\"\nheader = {name:?}\nvalue = {value:?}\n")
        }
    };
    format!(
        "[connections.ekran]\nplugin = \"ekran\"\nbase_url = {base_url:?}\n\
         time_zone = {time_zone:?}\n{auth}"
    )
}

/// Returns the part of a configuration that connects `formal` to an emulator.
pub fn formal_toml(emulator: &formal::Emulator) -> String {
    let (base_url, api_key) = (emulator.base_url(), emulator.api_key());
    format!(
        "[connections.formal]\nplugin = \"formal\"\nbase_url = {base_url:?}\napi_key = {api_key:?}\n"
    )
}

/// Returns the part of a configuration that connects `oam` to an emulator.
pub fn oam_toml(emulator: &oam::Emulator) -> String {
    let base_url = emulator.base_url();
    let (username, password) = (emulator.username(), emulator.password());
    format!(
        "[connections.oam]\nplugin = \"oam\"\nbase_url = {base_url:?}\n\
         username = {username:?}\npassword = {password:?}\n"
    )
}

/// Writes a configuration to `config.toml` in a directory, with mode 0600. Returns its path.
///
/// # Errors
/// The directory does not exist or may not be written to.
pub fn write_config(dir: &Path, toml: &str) -> io::Result<PathBuf> {
    let path = dir.join("config.toml");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(toml.as_bytes())?;
    Ok(path)
}

/// Locks a mutex. A panic elsewhere, such as a failed assertion in a hook, does not make its data unusable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
