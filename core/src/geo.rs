//! Where addresses are: databases of places in MaxMind's format.
//! In: the files that the configuration names, or places that a test gives. Out: the place of an
//! address. Files are read whole when a statement first calls `geoip`, and kept for all that follow.
//! A file is somebody else's bytes: whatever is in it, the worst that comes of it is an error.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use maxminddb::Reader;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::functions::Network;

/// What a database knows of an address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// The country's code of ISO 3166-1, such as `DE`.
    pub country: Option<String>,
    /// The city's name in English.
    pub city: Option<String>,
    /// Degrees north of the equator.
    pub latitude: Option<f64>,
    /// Degrees east of Greenwich.
    pub longitude: Option<f64>,
    /// The number of the autonomous system that announces the address.
    pub asn: Option<i64>,
    /// Who runs that system.
    pub as_org: Option<String>,
}

impl Place {
    /// Takes over what is not known from another one. Coordinates belong together.
    fn or(self, other: Self) -> Self {
        let (latitude, longitude) = if self.latitude.is_some() && self.longitude.is_some() {
            (self.latitude, self.longitude)
        } else {
            (other.latitude, other.longitude)
        };
        Self {
            country: self.country.or(other.country),
            city: self.city.or(other.city),
            latitude,
            longitude,
            asn: self.asn.or(other.asn),
            as_org: self.as_org.or(other.as_org),
        }
    }
}

/// A database of places.
pub struct PlaceFile {
    path: PathBuf,
    reader: Reader<Vec<u8>>,
}

impl PlaceFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence, if the file cannot be read or is no such database.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|error| {
            format!("the database of places `{}` cannot be read: {error}", path.display())
        })?;
        Self::parse(path, bytes)
    }

    /// Takes the content of a file.
    ///
    /// # Errors
    /// A sentence, if it is no such database.
    pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, String> {
        let reader = Reader::from_source(bytes)
            .map_err(|error| format!("`{}` is no database of places: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), reader })
    }

    /// Returns what it is a database of, as it says itself, such as `GeoLite2-City`.
    pub fn kind(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// Returns when it was made, as it says itself.
    pub fn built(&self) -> Option<DateTime<Utc>> {
        let seconds = i64::try_from(self.reader.metadata().build_epoch).ok()?;
        DateTime::from_timestamp(seconds, 0)
    }

    /// Returns what is known of an address.
    ///
    /// # Errors
    /// A sentence, if the record of the address cannot be read.
    pub fn find(&self, address: IpAddr) -> Result<Option<Place>, String> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let found = self.reader.lookup(address).and_then(|found| found.decode::<Record<'_>>());
        let record = found.map_err(|error| {
            let path = self.path.display();
            format!("the database of places `{path}` cannot be read at {address}: {error}")
        })?;
        Ok(record.map(Record::place))
    }
}

impl fmt::Debug for PlaceFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PlaceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What a record says of interest here, in the names of the databases of cities, countries and
/// autonomous systems.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    country: Country<'a>,
    #[serde(borrow)]
    city: City<'a>,
    location: Location,
    autonomous_system_number: Option<Number>,
    autonomous_system_organization: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Country<'a> {
    iso_code: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct City<'a> {
    #[serde(borrow)]
    names: Names<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names<'a> {
    en: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: Option<Number>,
    longitude: Option<Number>,
}

/// A number of any type: not everybody who writes such files takes the same ones.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;

        impl Visitor<'_> for AnyNumber {
            type Value = Number;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number")
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
        }

        deserializer.deserialize_any(AnyNumber)
    }
}

impl Record<'_> {
    fn place(self) -> Place {
        let text = |text: &str| text.to_owned();
        let within = |degrees: Option<Number>, most: f64| {
            degrees.map(|Number(degrees)| degrees).filter(|degrees| degrees.abs() <= most)
        };
        // Such numbers have 32 bits.
        let asn = self.autonomous_system_number.map(|Number(number)| number);
        let asn = asn.filter(|number| (0.0..=f64::from(u32::MAX)).contains(number));
        Place {
            country: self.country.iso_code.map(text),
            city: self.city.names.en.map(text),
            latitude: within(self.location.latitude, 90.0),
            longitude: within(self.location.longitude, 180.0),
            asn: asn.map(|number| number as i64),
            as_org: self.autonomous_system_organization.map(text),
        }
    }
}

/// The place of a network, as somebody gives it.
#[derive(Debug, Clone)]
pub struct GivenPlace {
    network: Network,
    place: Place,
}

impl GivenPlace {
    /// Returns the place of a network such as `192.0.2.0/24`; none if the text is no network.
    pub fn new(network: &str, place: Place) -> Option<Self> {
        Network::parse(network).map(|network| Self { network, place })
    }
}

/// Where places come from.
#[derive(Debug, Clone, Default)]
pub struct PlaceSources {
    /// The files; what the first of them does not know the next ones may.
    pub files: Vec<PathBuf>,
    /// Places that stand in for the files, as in a test.
    pub given: Option<Vec<GivenPlace>>,
}

/// The databases of an engine.
#[derive(Debug)]
pub(crate) struct Places {
    sources: PlaceSources,
    loaded: Mutex<Option<Arc<LoadedPlaces>>>,
}

/// Databases that were read.
#[derive(Debug)]
pub(crate) enum LoadedPlaces {
    /// Files.
    Files(Vec<PlaceFile>),
    /// Given places, smaller networks first.
    Given(Vec<GivenPlace>),
}

/// Why there are no places.
#[derive(Debug)]
pub(crate) struct NoPlaces {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Places {
    /// Returns the databases of these sources. Reads nothing.
    pub(crate) fn new(sources: PlaceSources) -> Self {
        Self { sources, loaded: Mutex::new(None) }
    }

    /// Returns the databases, which are read if they were not yet. What fails is tried again.
    ///
    /// # Errors
    /// If there are none, or one cannot be read.
    pub(crate) fn load(&self) -> Result<Arc<LoadedPlaces>, NoPlaces> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = loaded.as_ref() {
            return Ok(Arc::clone(places));
        }
        let places = match &self.sources {
            PlaceSources { given: Some(given), .. } => {
                let mut given = given.clone();
                given.sort_by_key(|given| std::cmp::Reverse(given.network.n_bits()));
                LoadedPlaces::Given(given)
            }
            PlaceSources { files, .. } if files.is_empty() => {
                return Err(NoPlaces {
                    message: "`geoip` has no database of places".to_owned(),
                    hint: Some(
                        "name one in the configuration: [geoip] with files = [\"….mmdb\"]"
                            .to_owned(),
                    ),
                });
            }
            PlaceSources { files, .. } => {
                let files: Result<_, String> =
                    files.iter().map(|file| PlaceFile::read(file)).collect();
                LoadedPlaces::Files(files.map_err(|message| NoPlaces { message, hint: None })?)
            }
        };
        Ok(Arc::clone(loaded.insert(Arc::new(places))))
    }
}

impl LoadedPlaces {
    /// Returns what is known of an address.
    ///
    /// # Errors
    /// A sentence, if a database cannot be read at the address.
    pub(crate) fn find(&self, address: IpAddr) -> Result<Option<Place>, String> {
        match self {
            Self::Files(files) => {
                let mut known: Option<Place> = None;
                for file in files {
                    known = match (known, file.find(address)?) {
                        (Some(known), Some(more)) => Some(known.or(more)),
                        (known, more) => known.or(more),
                    };
                }
                Ok(known)
            }
            Self::Given(given) => {
                let found = given.iter().find(|given| given.network.contains(address));
                Ok(found.map(|given| given.place.clone()))
            }
        }
    }
}
