//! The sample sessions of Acme behind Formal.
//! In: the company, a seed and the instant that is "now". Out: some thousands of records of the last 35 days.
//! Called by `Options::seeded`. The same seed and instant give the same records; nothing here reads a clock.
//! People are those of the VPN, under the same logins; a machine user runs the dashboards that some of them look at.

use chrono::{DateTime, Datelike as _, DurationRound as _, NaiveTime, TimeDelta, Utc, Weekday};
use fastrand::Rng;

use super::session::{Identity, SessionRecord, Status, Thing};
use crate::company::{Company, Person, uuid};

/// How far back the data goes.
const N_DAYS: i64 = 35;

/// Resources: type, name, technology, server's address, and who uses it.
const RESOURCES: [(&str, &str, &str, &str, &[&str]); 6] = [
    ("datastore", "orders", "postgres", "10.20.0.11", &["Engineering", "Finance", "Support"]),
    ("datastore", "warehouse", "snowflake", "10.20.0.12", &["Finance", "Management", "Sales"]),
    ("datastore", "cache", "redis", "10.20.0.13", &["Engineering"]),
    ("instance", "bastion", "ssh", "10.20.0.14", &["Engineering", "Contractors"]),
    ("instance", "build agents", "kubernetes", "10.20.0.15", &["Engineering"]),
    ("aws", "reports bucket", "s3", "10.20.0.16", &["Finance", "Engineering", "Contractors"]),
];

/// Makes the records of all people, in no particular order.
pub(super) fn sessions(company: &Company, seed: u64, now: DateTime<Utc>) -> Vec<SessionRecord> {
    let now = now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now);
    // Another stream of random numbers than the one that made the company.
    let mut rng = Rng::with_seed(seed ^ 0x0066_6f72);
    let mut thing = |name: &str, technology: &str| Thing {
        id: format!("{technology}_{}", &uuid(&mut rng)[..8]),
        name: name.to_owned(),
        technology: technology.to_owned(),
    };
    let resources = RESOURCES.map(|(_, name, technology, ..)| thing(name, technology));
    let sidecar = thing("legacy sidecar", "postgres");
    let connector =
        Thing { technology: String::new(), ..thing("head office connector", "connector") };
    let mut maker = Maker { rng, now, resources, sidecar, connector, records: Vec::new() };
    for person in &company.people {
        for days_ago in (0..=N_DAYS).rev() {
            maker.day(company, person, now - TimeDelta::days(days_ago));
        }
    }
    maker.records
}

struct Maker {
    rng: Rng,
    now: DateTime<Utc>,
    resources: [Thing; 6],
    sidecar: Thing,
    connector: Thing,
    records: Vec<SessionRecord>,
}

impl Maker {
    /// Makes one person's sessions of one day.
    fn day(&mut self, company: &Company, person: &Person, day: DateTime<Utc>) {
        let midnight = day.with_time(NaiveTime::MIN).single().unwrap_or(day);
        let is_weekend = matches!(midnight.weekday(), Weekday::Sat | Weekday::Sun);
        if self.rng.f64() < if is_weekend { 0.85 } else { 0.15 } {
            return;
        }
        let opening = TimeDelta::hours(8 - person.utc_offset_hours);
        let mut start = midnight + opening + self.milliseconds(7_200_000);
        let address =
            if self.rng.u8(..10) < 4 { &company.office_ip } else { &person.home_ip }.clone();
        for _ in 0..self.rng.usize(1..=4) {
            let Some(at) = self.resource(&person.group) else { return };
            let length = match self.rng.u8(..100) {
                0 => TimeDelta::zero(),
                1..=49 => self.milliseconds(600_000),
                50..=89 => TimeDelta::minutes(10) + self.milliseconds(7_200_000),
                _ => TimeDelta::hours(4) + self.milliseconds(36_000_000),
            };
            let parent = self.visit(person, at, &address, (start, start + length), "");
            // A shell on the bastion, and the database behind it.
            if RESOURCES[at].1 == "bastion"
                && self.rng.bool()
                && let Some(parent) = parent
            {
                let inner = start + length / 4;
                self.visit(person, 0, "10.20.0.14", (inner, inner + length / 2), &parent);
            }
            start += length + self.milliseconds(5_400_000);
        }
    }

    /// Draws one of the resources that a group uses.
    fn resource(&mut self, group: &str) -> Option<usize> {
        let of_group: Vec<usize> =
            (0..RESOURCES.len()).filter(|at| RESOURCES[*at].4.contains(&group)).collect();
        (!of_group.is_empty()).then(|| of_group[self.rng.usize(..of_group.len())])
    }

    /// Makes a session and returns its id. One that would end in the future is open; one that would begin there is not
    /// made.
    fn visit(
        &mut self,
        person: &Person,
        at: usize,
        address: &str,
        (start, end): (DateTime<Utc>, DateTime<Utc>),
        parent: &str,
    ) -> Option<String> {
        if start > self.now {
            return None;
        }
        let (kind, _, technology, server_ip, _) = RESOURCES[at];
        let id = format!("session_{}", uuid(&mut self.rng));
        let identity = Identity {
            id: format!("user_{}", person.id),
            name: format!("{} {}", person.first_name, person.last_name),
            email: person.email.clone(),
            kind: "human".to_owned(),
            groups: vec![person.group.clone()],
            external_ids: match self.rng.u8(..4) {
                0 => Vec::new(),
                _ => vec![person.login.clone()],
            },
        };
        let mut record = SessionRecord::active(&id, &person.login, start);
        // The dashboards read the warehouse under a name of their own, for whoever looks at them.
        if technology == "snowflake" {
            record.end_user = identity;
            record.user = Identity {
                id: "user_dashboards".to_owned(),
                name: "Dashboards".to_owned(),
                kind: "machine".to_owned(),
                ..Identity::default()
            };
        } else {
            record.user = identity;
        }
        record.user_type = "formal".to_owned();
        if technology == "postgres" && self.rng.u8(..3) == 0 {
            record.user_type = "native".to_owned();
            record.native_username = "app_readonly".to_owned();
        }
        record.client_ip = address.to_owned();
        record.server_ip = server_ip.to_owned();
        record.resource_type = kind.to_owned();
        record.resource = self.resources[at].clone();
        record.parent_session_id = parent.to_owned();
        // Sidecars were replaced by connectors two weeks ago.
        if technology == "postgres" && start < self.now - TimeDelta::days(14) {
            record.sidecar = self.sidecar.clone();
        } else {
            record.connector = self.connector.clone();
        }
        if end <= self.now {
            record.close(end);
        } else {
            let at_most = (self.now - start).min(TimeDelta::minutes(30));
            let quiet = self.milliseconds(at_most.num_milliseconds());
            record.last_event = self.now - quiet;
            if quiet > TimeDelta::minutes(15) {
                record.status = Status::Idle;
            }
        }
        self.records.push(record);
        Some(id)
    }

    /// Draws a duration from nothing up to so many milliseconds.
    fn milliseconds(&mut self, at_most: i64) -> TimeDelta {
        TimeDelta::milliseconds(self.rng.i64(0..=at_most.max(0)))
    }
}
