//! The sample sessions of Acme's VPN.
//! In: the company, a seed and the instant that is "now". Out: some thousands of records of the last 35 days.
//! Called by `Options::seeded`. The same seed and instant give the same records; nothing here reads a clock.
//! Among them are sessions of no length, over midnight, for weeks, with failed logins, and of connectors.

use chrono::{DateTime, Datelike as _, DurationRound as _, NaiveTime, TimeDelta, Utc, Weekday};
use fastrand::Rng;

use super::session::{SessionRecord, Status};
use crate::company::{Company, Connector, Device, Person, Site, hex_digits};

/// How far back the data goes; further than any version of the API shows.
const N_DAYS: i64 = 35;

/// Who keeps a tunnel up for long, and for how many hours already.
const LONG_TUNNELS: [(&str, i64); 5] =
    [("bob", 31), ("victor", 52), ("ivan", 9 * 24), ("kim", 20 * 24 + 5), ("mallory", 33 * 24)];

/// Who works over midnight, as UTC has it.
const NIGHT_WORKERS: [&str; 3] = ["erin", "niaj", "zoe"];

/// Reasons of disconnection with their descriptions. The vendor publishes no list; these are invented.
const REASONS: [(&str, &str); 5] = [
    ("USER_DISCONNECT", "The user closed the tunnel"),
    ("INACTIVITY_TIMEOUT", "No traffic for too long"),
    ("CONNECTION_LOST", "The peer stopped answering"),
    ("REGION_CHANGE", "The user's client moved to another region"),
    ("DEVICE_SLEEP", "The device went to sleep"),
];

/// Makes the records of all people and connectors, in no particular order.
pub(super) fn sessions(company: &Company, seed: u64, now: DateTime<Utc>) -> Vec<SessionRecord> {
    let now = now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now);
    // Another stream of random numbers than the one that made the company.
    let mut maker = Maker { rng: Rng::with_seed(seed ^ 0x0076_706e), now, records: Vec::new() };
    for person in &company.people {
        for days_ago in (0..=N_DAYS).rev() {
            maker.day(company, person, now - TimeDelta::days(days_ago));
        }
    }
    for (login, hours_ago) in LONG_TUNNELS {
        if let Some(person) = company.person(login) {
            let start = now - TimeDelta::hours(hours_ago) - maker.milliseconds(3_600_000);
            maker.visit(person, &person.devices[0], &person.home_ip, (start, None));
        }
    }
    for connector in &company.connectors {
        maker.uptimes(connector);
    }
    maker.records
}

struct Maker {
    rng: Rng,
    now: DateTime<Utc>,
    records: Vec<SessionRecord>,
}

impl Maker {
    /// Makes one person's sessions of one day.
    fn day(&mut self, company: &Company, person: &Person, day: DateTime<Utc>) {
        let midnight = day.with_time(NaiveTime::MIN).single().unwrap_or(day);
        let is_weekend = matches!(midnight.weekday(), Weekday::Sat | Weekday::Sun);
        if self.rng.f64() < if is_weekend { 0.75 } else { 0.06 } {
            return;
        }
        let works_at_night = NIGHT_WORKERS.contains(&person.login.as_str());
        let opening = if works_at_night { 21 } else { 8 - person.utc_offset_hours };
        let mut start = midnight + TimeDelta::hours(opening) + self.milliseconds(5_400_000);
        let in_office = self.rng.u8(..10) < 4;
        for _ in 0..self.rng.usize(1..=4) {
            let device = &person.devices[self.rng.usize(..person.devices.len())];
            let address = if in_office { &company.office_ip } else { &person.home_ip };
            if self.rng.u8(..100) < 5 {
                self.refusal(person, device, address, start);
                start += TimeDelta::seconds(20) + self.milliseconds(60_000);
            }
            let length = self.length();
            self.visit(person, device, address, (start, Some(start + length)));
            start += length + self.milliseconds(5_400_000);
        }
    }

    /// Draws the length of a session: now and then none at all, mostly minutes to hours.
    fn length(&mut self) -> TimeDelta {
        match self.rng.u8(..100) {
            0 => TimeDelta::zero(),
            1..=14 => self.milliseconds(120_000),
            15..=59 => self.milliseconds(5_400_000),
            _ => TimeDelta::hours(1) + self.milliseconds(18_000_000),
        }
    }

    /// Makes a person's session. One that would end in the future is active; one that would begin there is not made.
    fn visit(
        &mut self,
        person: &Person,
        device: &Device,
        address: &str,
        (start, end): (DateTime<Utc>, Option<DateTime<Utc>>),
    ) {
        if start > self.now {
            return;
        }
        let mut record = self.record(Status::Active, start, address, person.region);
        identify(&mut record, person, device);
        self.run(record, end);
    }

    /// Makes a login that failed: a session of no length.
    fn refusal(&mut self, person: &Person, device: &Device, address: &str, at: DateTime<Utc>) {
        if at > self.now {
            return;
        }
        let mut record = self.record(Status::Failed, at, address, person.region);
        identify(&mut record, person, device);
        record.end = Some(at);
        record.duration_seconds = Some(0);
        (record.bytes_in, record.bytes_out) = (Some(0), Some(0));
        (record.tunnel_ip_v4, record.tunnel_ip_v6) = (None, None);
        record.disconnect_reason = Some("AUTHENTICATION_FAILED".to_owned());
        record.disconnect_reason_description = Some("The credentials were refused".to_owned());
        self.records.push(record);
    }

    /// Makes a connector's sessions: one after the other, the last still active.
    fn uptimes(&mut self, connector: &Connector) {
        let mut start = self.now - TimeDelta::days(N_DAYS) + self.milliseconds(86_400_000);
        loop {
            let end = start + TimeDelta::hours(20) + self.milliseconds(9 * 86_400_000);
            let mut record =
                self.record(Status::Active, start, &connector.public_ip, connector.region);
            record.connector_id = Some(connector.id.clone());
            record.connector_name = Some(connector.name.clone());
            let (id, name) = (connector.site_id.clone(), connector.site_name.clone());
            match connector.site {
                Site::Host => (record.host_id, record.host_name) = (Some(id), Some(name)),
                Site::Network => (record.network_id, record.network_name) = (Some(id), Some(name)),
            }
            self.run(record, Some(end));
            start = end + TimeDelta::seconds(5) + self.milliseconds(40_000);
            if start > self.now {
                return;
            }
        }
    }

    /// Lets a session run until its end, or until now, and keeps it.
    fn run(&mut self, mut record: SessionRecord, end: Option<DateTime<Utc>>) {
        let start = record.start.unwrap_or(self.now);
        let until = end.unwrap_or(self.now).min(self.now);
        let seconds = (until - start).num_seconds();
        record.duration_seconds = Some(seconds);
        record.bytes_in = Some(seconds * self.rng.i64(200..90_000));
        record.bytes_out = Some(seconds * self.rng.i64(100..20_000));
        if self.rng.u8(..4) == 0 && until > record.created_at {
            let after = self.milliseconds((until - record.created_at).num_milliseconds());
            record.touch(record.created_at + after);
        }
        if let Some(end) = end.filter(|end| *end <= self.now) {
            let (reason, description) = REASONS[self.rng.usize(..REASONS.len())];
            record.disconnect_reason = Some(reason.to_owned());
            record.disconnect_reason_description =
                (self.rng.u8(..5) > 0).then(|| description.to_owned());
            record.close(end);
            let noted_at = (end + self.milliseconds(1_500)).min(self.now);
            record.updated_at = noted_at.max(record.created_at);
        }
        self.records.push(record);
    }

    /// Returns a record with what every session has.
    fn record(
        &mut self,
        status: Status,
        start: DateTime<Utc>,
        address: &str,
        region: &str,
    ) -> SessionRecord {
        // Like a document store's: seconds of the start, then digits without a meaning.
        let id = format!("{:08x}{}", start.timestamp(), hex_digits(&mut self.rng, 16));
        let created_at = (start + self.milliseconds(900)).min(self.now);
        let protocol = ["UDP", "UDP", "UDP", "TCP"][self.rng.usize(..4)];
        let (subnet, host) = (self.rng.u8(96..128), self.rng.u16(2..));
        let [high, low] = host.to_be_bytes();
        SessionRecord {
            created_at,
            updated_at: created_at,
            region: Some(region.to_owned()),
            protocol: Some(protocol.to_owned()),
            public_ip: Some(address.to_owned()),
            tunnel_ip_v4: Some(format!("100.{subnet}.{high}.{low}")),
            tunnel_ip_v6: Some(format!("fd00:0:0:{subnet:x}::{host:x}")),
            ..SessionRecord::new(&id, status, start)
        }
    }

    /// Draws a duration from nothing up to so many milliseconds.
    fn milliseconds(&mut self, at_most: i64) -> TimeDelta {
        TimeDelta::milliseconds(self.rng.i64(0..=at_most))
    }
}

/// Writes a person and a device into a record.
fn identify(record: &mut SessionRecord, person: &Person, device: &Device) {
    record.user_id = Some(person.id.clone());
    record.user_name = Some(person.login.clone());
    record.user_group = Some(person.group.clone());
    record.primary_group_name = Some(person.group.clone());
    record.secondary_group_names = Some(match person.group.as_str() {
        "Engineering" => vec!["On call".to_owned(), "Build".to_owned()],
        "Management" => vec!["Everyone".to_owned()],
        _ => Vec::new(),
    });
    record.first_name = Some(person.first_name.clone());
    record.last_name = Some(person.last_name.clone());
    record.email = Some(person.email.clone());
    record.client_uuid = Some(device.client_uuid.clone());
    record.device_id = Some(device.id.clone());
    record.device_name = Some(device.name.clone());
    record.os_type = Some(device.os_type.clone());
    record.os_version = Some(device.os_version.clone());
}
