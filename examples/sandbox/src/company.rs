//! Acme, an imaginary company: the people, devices and networks whose sessions the emulators hold.
//! In: a seed. Out: the same company for the same seed, on every machine.
//! Each emulator makes its own sessions of it, so that logins, names and addresses agree between providers.
//! All names are invented, the domain is reserved for examples, public addresses are of the documentation ranges.

use std::fmt::Write as _;

use fastrand::Rng;

/// First name, last name, group, and hours that the person's home is ahead of UTC.
const PEOPLE: [(&str, &str, &str, i64); 40] = [
    ("Alice", "Ashdown", "Engineering", 0),
    ("Bob", "Birchwood", "Engineering", 1),
    ("Carol", "Copperfield", "Finance", 0),
    ("Dave", "Dunmore", "Engineering", -5),
    ("Erin", "Elmsworth", "Support", 2),
    ("Frank", "Fernsby", "Support", 1),
    ("Grace", "Greystone", "Management", 0),
    ("Heidi", "Haselnuß", "Engineering", 1),
    ("Ivan", "Ironside", "Contractors", 3),
    ("Judy", "Juniper", "Finance", -5),
    ("Kim", "Kestrel", "Engineering", 9),
    ("Laura", "Larkspur", "Sales", -8),
    ("Mallory", "Marsh", "Contractors", 3),
    ("Niaj", "Northgate", "Support", 6),
    ("Olivia", "Oakenfield", "Sales", 0),
    ("Peggy", "Pinecrest", "Management", 1),
    ("Quentin", "Quill", "Engineering", 2),
    ("Rupert", "Rookwood", "Sales", 0),
    ("Sybil", "Silverlake", "Support", 5),
    ("Trent", "Thornbury", "Management", -5),
    ("Ursula", "Underhill", "Finance", 1),
    ("Victor", "Valewood", "Engineering", 1),
    ("Walter", "Windermere", "Sales", -8),
    ("Xenia", "Xander", "Contractors", 2),
    ("Yves", "Yarrow", "Engineering", 1),
    ("Zoë", "Zephyr", "Engineering", 1),
    ("Brian", "O'Sample", "Sales", 0),
    ("Łukasz", "Źródło", "Engineering", 1),
    ("Søren", "Ærlig", "Engineering", 1),
    ("José", "Ejemplo", "Support", -3),
    ("Дарья", "Примерова", "Engineering", 3),
    ("花子", "見本", "Sales", 9),
    ("Ümit", "Örnek", "Support", 3),
    ("Nora", "Nightingale", "Support", 0),
    ("Oscar", "Orchard", "Finance", -5),
    ("Penny", "Pebble", "Engineering", 8),
    ("Rosa", "Riverton", "Sales", 1),
    ("Stan", "Stonebridge", "Support", 0),
    ("Tara", "Tidewater", "Management", 5),
    ("Ulf", "Urskog", "Contractors", 1),
];

/// Logins where the first name in lower case would not be ASCII.
const LOGINS: [(&str, &str); 8] = [
    ("Zoë", "zoe"),
    ("Łukasz", "lukasz"),
    ("Søren", "soren"),
    ("José", "jose"),
    ("Дарья", "daria"),
    ("花子", "hanako"),
    ("Ümit", "umit"),
    ("Brian", "brian.o'sample"),
];

/// Operating systems: type, version, and what the people call such a device.
const SYSTEMS: [(&str, &str, &str); 6] = [
    ("Windows", "11.0.26100", "Laptop"),
    ("macOS", "15.3.1", "MacBook"),
    ("Linux", "6.12.8", "Workstation"),
    ("iOS", "18.3", "iPhone"),
    ("Android", "15", "Phone"),
    ("Windows", "10.0.19045", "Old laptop"),
];

/// Where the connectors stand: host or network, its name, region.
const SITES: [(Site, &str, &str); 6] = [
    (Site::Network, "Head office", "eu-central-1"),
    (Site::Network, "Warehouse", "eu-west-2"),
    (Site::Network, "Production VPC", "us-east-1"),
    (Site::Network, "Zürich lab", "eu-central-1"),
    (Site::Host, "Build server", "us-west-2"),
    (Site::Host, "Printer's gateway", "fi-hel"),
];

/// The company that all sample data is about.
#[derive(Clone, Debug)]
pub struct Company {
    /// Its domain, for mail addresses.
    pub domain: &'static str,
    /// The public address that everybody in the office shares.
    pub office_ip: String,
    /// Those who log in, in a fixed order.
    pub people: Vec<Person>,
    /// What connects without a person.
    pub connectors: Vec<Connector>,
}

/// One of its people.
#[derive(Clone, Debug)]
pub struct Person {
    /// An identifier without a meaning, as providers give it.
    pub id: String,
    /// The login, the same at every provider.
    pub login: String,
    /// The first name, not always ASCII.
    pub first_name: String,
    /// The last name, not always ASCII.
    pub last_name: String,
    /// The mail address.
    pub email: String,
    /// The department.
    pub group: String,
    /// The public address at home.
    pub home_ip: String,
    /// The region of the provider that is nearest to home.
    pub region: &'static str,
    /// Hours that the home is ahead of UTC.
    pub utc_offset_hours: i64,
    /// One to three devices.
    pub devices: Vec<Device>,
}

/// A device of a person.
#[derive(Clone, Debug)]
pub struct Device {
    /// An identifier without a meaning.
    pub id: String,
    /// The name that its owner gave it.
    pub name: String,
    /// The identifier of the client software on it.
    pub client_uuid: String,
    /// The kind of operating system.
    pub os_type: String,
    /// The version of the operating system.
    pub os_version: String,
}

/// What a connector connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// A single machine.
    Host,
    /// A network behind it.
    Network,
}

/// A machine that keeps a tunnel up for a host or a network.
#[derive(Clone, Debug)]
pub struct Connector {
    /// An identifier without a meaning.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it connects.
    pub site: Site,
    /// The identifier of the host or network.
    pub site_id: String,
    /// The name of the host or network.
    pub site_name: String,
    /// The region that it connects to.
    pub region: &'static str,
    /// Its public address.
    pub public_ip: String,
}

impl Company {
    /// Makes the company of a seed.
    pub fn seeded(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let people = PEOPLE.iter().enumerate();
        let sites = SITES.iter().enumerate();
        Self {
            domain: "acme.example",
            office_ip: "203.0.113.10".to_owned(),
            people: people.map(|(at, traits)| person(&mut rng, at, traits)).collect(),
            connectors: sites.map(|(at, traits)| connector(&mut rng, at, traits)).collect(),
        }
    }

    /// Returns the person with a login.
    pub fn person(&self, login: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.login == login)
    }
}

fn person(rng: &mut Rng, position: usize, traits: &(&str, &str, &str, i64)) -> Person {
    let (first_name, last_name, group, utc_offset_hours) = *traits;
    let login = LOGINS
        .iter()
        .find(|(name, _)| *name == first_name)
        .map_or_else(|| first_name.to_lowercase(), |(_, login)| (*login).to_owned());
    let n_devices = rng.usize(1..=3);
    Person {
        id: uuid(rng),
        email: format!("{login}@acme.example"),
        login,
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        group: group.to_owned(),
        home_ip: format!("198.51.100.{}", position + 1),
        region: match utc_offset_hours {
            ..-6 => "us-west-2",
            -6..-2 => "us-east-1",
            -2..=1 => "eu-central-1",
            2..=4 => "fi-hel",
            _ => "ap-south-1",
        },
        utc_offset_hours,
        devices: (0..n_devices).map(|_| device(rng, first_name)).collect(),
    }
}

fn device(rng: &mut Rng, owner: &str) -> Device {
    let (os_type, os_version, name) = SYSTEMS[rng.usize(..SYSTEMS.len())];
    Device {
        id: uuid(rng),
        name: format!("{owner}'s {name}"),
        client_uuid: uuid(rng),
        os_type: os_type.to_owned(),
        os_version: os_version.to_owned(),
    }
}

fn connector(rng: &mut Rng, position: usize, traits: &(Site, &str, &'static str)) -> Connector {
    let (site, site_name, region) = *traits;
    Connector {
        id: uuid(rng),
        name: format!("{site_name} connector"),
        site,
        site_id: uuid(rng),
        site_name: site_name.to_owned(),
        region,
        public_ip: format!("192.0.2.{}", position + 1),
    }
}

/// Returns a random identifier in the form of a version 4 UUID.
pub fn uuid(rng: &mut Rng) -> String {
    let hex = format!("{:032x}", rng.u128(..));
    let (head, tail) = (&hex[..12], &hex[13..16]);
    let variant = ["8", "9", "a", "b"][rng.usize(..4)];
    format!("{}-{}-4{tail}-{variant}{}-{}", &head[..8], &head[8..], &hex[17..20], &hex[20..])
}

/// Returns so many random hexadecimal digits.
pub fn hex_digits(rng: &mut Rng, n_digits: usize) -> String {
    (0..n_digits).fold(String::with_capacity(n_digits), |mut digits, _| {
        // Writing to a string cannot fail.
        write!(digits, "{:x}", rng.u8(..16)).ok();
        digits
    })
}
