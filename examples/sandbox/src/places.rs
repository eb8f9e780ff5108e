//! Where the addresses of the sample data are: a database of places in MaxMind's format.
//! In: networks with their places. Out: the bytes of a file. The places are made up: their countries
//! have codes that ISO 3166-1 gives to nobody, and their cities lie in the middle of nowhere.
//! Source: MaxMind DB File Format Specification 2.0.

use std::io;
use std::net::IpAddr;

use crate::company::Company;

/// The place of a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaceRecord {
    /// The network, such as `192.0.2.0/24`.
    pub network: String,
    /// The code of its country.
    pub country: Option<String>,
    /// The name of its city.
    pub city: Option<String>,
    /// Latitude and longitude in degrees.
    pub location: Option<(f64, f64)>,
    /// The number of its autonomous system, and who runs that.
    pub autonomous_system: Option<(u32, String)>,
}

/// Returns the places of a company's addresses: each home lies where the sun is as late as its
/// owner's clock says, and the office in the middle.
pub fn of_company(company: &Company) -> Vec<PlaceRecord> {
    let record = |address: &str, city: &str, country: &str, longitude: f64| PlaceRecord {
        network: format!("{address}/32"),
        country: Some(country.to_owned()),
        city: Some(city.to_owned()),
        location: Some((45.0, longitude)),
        autonomous_system: Some((64_496, "Sample Networks".to_owned())),
    };
    let homes = company.people.iter().map(|person| {
        let (city, country) = match person.utc_offset_hours {
            ..-6 => ("Sunset Bay", "XW"),
            -6..-2 => ("Westmarket", "XW"),
            -2..=1 => ("Middleton", "XM"),
            2..=4 => ("Eastmarket", "XE"),
            _ => ("Sunrise Bay", "XE"),
        };
        record(&person.home_ip, city, country, 15.0 * person.utc_offset_hours as f64)
    });
    let sites = company.connectors.iter().map(|site| record(&site.public_ip, "Hosting", "XM", 5.0));
    let office = record(&company.office_ip, "Middleton", "XM", 0.0);
    homes.chain(sites).chain([office]).collect()
}

/// Returns the database of such places.
///
/// # Errors
/// A text is no network, two networks overlap, or there are too many.
pub fn database(places: &[PlaceRecord]) -> io::Result<Vec<u8>> {
    let mut tree = Tree { nodes: vec![[Branch::Nothing; 2]] };
    let mut data = Vec::new();
    for place in places {
        let offset = data.len();
        push_place(&mut data, place);
        tree.insert(&place.network, offset)?;
    }
    if tree.nodes.len() + 16 + data.len() >= 1 << 24 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many places for 24 bits"));
    }
    let mut file = tree.bytes();
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    push_metadata(&mut file, tree.nodes.len());
    Ok(file)
}

/// The tree of the bits of addresses.
struct Tree {
    nodes: Vec<[Branch; 2]>,
}

/// What follows a bit.
#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Data(usize),
}

impl Tree {
    fn insert(&mut self, network: &str, offset: usize) -> io::Result<()> {
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidInput, format!("{network} {what}"));
        let (first, n_bits) = network.split_once('/').ok_or_else(|| wrong("is no network"))?;
        let first: IpAddr = first.parse().map_err(|_| wrong("is no network"))?;
        let n_bits: u32 = n_bits.parse().map_err(|_| wrong("is no network"))?;
        // Addresses of IPv4 are the last ones below `::/96`.
        let (bits, n_bits) = match first {
            IpAddr::V4(first) => (u128::from(first.to_bits()), n_bits + 96),
            IpAddr::V6(first) => (first.to_bits(), n_bits),
        };
        if !(1..=128).contains(&n_bits) {
            return Err(wrong("is no network"));
        }
        let mut at = 0;
        for depth in 0..n_bits {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            at = match self.nodes[at][side] {
                Branch::Nothing if depth + 1 == n_bits => {
                    self.nodes[at][side] = Branch::Data(offset);
                    return Ok(());
                }
                Branch::Nothing => {
                    let next = self.nodes.len();
                    self.nodes[at][side] = Branch::Node(next);
                    self.nodes.push([Branch::Nothing; 2]);
                    next
                }
                Branch::Node(next) if depth + 1 < n_bits => next,
                Branch::Node(_) | Branch::Data(_) => return Err(wrong("overlaps another one")),
            };
        }
        Ok(())
    }

    /// Returns the tree with records of 24 bits.
    fn bytes(&self) -> Vec<u8> {
        let n_nodes = self.nodes.len();
        let records = self.nodes.iter().flatten().flat_map(|branch| {
            let record = match branch {
                Branch::Nothing => n_nodes,
                Branch::Node(node) => *node,
                Branch::Data(offset) => n_nodes + 16 + offset,
            };
            let [.., high, middle, low] = (record as u32).to_be_bytes();
            [high, middle, low]
        });
        records.collect()
    }
}

fn push_place(data: &mut Vec<u8>, place: &PlaceRecord) {
    let PlaceRecord { country, city, location, autonomous_system, .. } = place;
    let n_entries = [country.is_some(), city.is_some(), location.is_some()];
    let n_entries = n_entries.into_iter().filter(|is_there| *is_there).count();
    push_head(data, MAP, n_entries + 2 * usize::from(autonomous_system.is_some()));
    if let Some(code) = country {
        push_text(data, "country");
        push_head(data, MAP, 1);
        push_text(data, "iso_code");
        push_text(data, code);
    }
    if let Some(name) = city {
        push_text(data, "city");
        push_head(data, MAP, 1);
        push_text(data, "names");
        push_head(data, MAP, 1);
        push_text(data, "en");
        push_text(data, name);
    }
    if let Some((latitude, longitude)) = location {
        push_text(data, "location");
        push_head(data, MAP, 2);
        for (name, degrees) in [("latitude", latitude), ("longitude", longitude)] {
            push_text(data, name);
            push_head(data, DOUBLE, 8);
            data.extend(degrees.to_be_bytes());
        }
    }
    if let Some((number, name)) = autonomous_system {
        push_text(data, "autonomous_system_number");
        push_number(data, U32, &number.to_be_bytes());
        push_text(data, "autonomous_system_organization");
        push_text(data, name);
    }
}

fn push_metadata(file: &mut Vec<u8>, n_nodes: usize) {
    push_head(file, MAP, 9);
    let numbers = [
        ("binary_format_major_version", U16, 2),
        ("binary_format_minor_version", U16, 0),
        ("ip_version", U16, 6),
        ("record_size", U16, 24),
        ("node_count", U32, n_nodes as u32),
        ("build_epoch", U64, 0),
    ];
    for (name, kind, number) in numbers {
        push_text(file, name);
        push_number(file, kind, &number.to_be_bytes());
    }
    push_text(file, "database_type");
    push_text(file, "Sample-City");
    push_text(file, "languages");
    push_head(file, ARRAY, 1);
    push_text(file, "en");
    push_text(file, "description");
    push_head(file, MAP, 0);
}

const TEXT: u8 = 2;
const DOUBLE: u8 = 3;
const U16: u8 = 5;
const U32: u8 = 6;
const MAP: u8 = 7;
const U64: u8 = 9;
const ARRAY: u8 = 11;

/// Appends the type of a value, and its size in bytes or entries.
fn push_head(data: &mut Vec<u8>, kind: u8, size: usize) {
    let (kind, extended) = if kind > 7 { (0, Some(kind - 7)) } else { (kind, None) };
    let (short, rest) = match size {
        ..29 => (size as u8, Vec::new()),
        29..285 => (29, vec![(size - 29) as u8]),
        _ => (30, ((size - 285) as u16).to_be_bytes().to_vec()),
    };
    data.push(kind << 5 | short);
    data.extend(extended);
    data.extend(rest);
}

fn push_text(data: &mut Vec<u8>, text: &str) {
    push_head(data, TEXT, text.len());
    data.extend(text.as_bytes());
}

/// Appends a number without its leading zeros.
fn push_number(data: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    push_head(data, kind, digits.len());
    data.extend(digits);
}
