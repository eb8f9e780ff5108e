//! The sample sessions of Acme's monitored computers.
//! In: the company, a seed and the instant that is "now". Out: some thousands of records of the last 60 days.
//! Called by `Options::seeded`. The same seed and instant give the same records; nothing here reads a clock.
//! Among them are sessions of no length, over midnight, for weeks, with long silences, and one user on two computers.

use chrono::{DateTime, Datelike as _, DurationRound as _, NaiveTime, TimeDelta, Utc, Weekday};
use fastrand::Rng;

use super::session::SessionRecord;
use crate::company::{Company, Person, hex_digits};

/// How far back the data goes.
const N_DAYS: i64 = 60;

/// The id of the first person; the others follow.
const FIRST_USER_ID: i64 = 101;

/// Who has not logged out for long, and since how many hours.
const LONG_SESSIONS: [(&str, i64); 5] =
    [("bob", 3), ("victor", 52), ("ivan", 9 * 24), ("kim", 20 * 24 + 5), ("mallory", 33 * 24)];

/// Returns the number that the server knows a person by, if the company has that person.
pub fn user_id(company: &Company, login: &str) -> Option<i64> {
    let position = company.people.iter().position(|person| person.login == login)?;
    Some(FIRST_USER_ID + i64::try_from(position).ok()?)
}

/// Makes the records of all people, in the order of their ids.
pub(super) fn sessions(company: &Company, seed: u64, now: DateTime<Utc>) -> Vec<SessionRecord> {
    let now = now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now);
    // Another stream of random numbers than the one that made the company.
    let rng = Rng::with_seed(seed ^ 0x656b_7261_6e00);
    let mut maker = Maker { rng, now, records: Vec::new() };
    for (user_id, person) in (FIRST_USER_ID..).zip(&company.people) {
        let computers: Vec<String> = person.devices.iter().map(|_| guid(&mut maker.rng)).collect();
        if person.group == "Support" {
            maker.shifts(user_id, &computers[0]);
        }
        for days_ago in (0..=N_DAYS).rev() {
            maker.day(person, (user_id, &computers), now - TimeDelta::days(days_ago));
        }
        let long = LONG_SESSIONS.iter().find(|(login, _)| *login == person.login);
        if let Some((_, hours_ago)) = long {
            let login = now - TimeDelta::hours(*hours_ago) - maker.milliseconds(3_600_000);
            maker.visit(user_id, &computers[0], (login, None));
        }
    }
    let mut records = maker.records;
    records.sort_by_key(|record| record.login);
    for (id, record) in (1001..).zip(&mut records) {
        record.session_id = id;
    }
    records
}

struct Maker {
    rng: Rng,
    now: DateTime<Utc>,
    records: Vec<SessionRecord>,
}

impl Maker {
    /// Makes one person's sessions of one day.
    fn day(&mut self, person: &Person, (user_id, computers): (i64, &[String]), day: DateTime<Utc>) {
        let midnight = day.with_time(NaiveTime::MIN).single().unwrap_or(day);
        let is_weekend = matches!(midnight.weekday(), Weekday::Sat | Weekday::Sun);
        if self.rng.f64() < if is_weekend { 0.85 } else { 0.08 } {
            return;
        }
        let opening = TimeDelta::hours(8 - person.utc_offset_hours);
        let mut login = midnight + opening + self.milliseconds(5_400_000);
        for _ in 0..self.rng.usize(1..=3) {
            let computer = &computers[self.rng.usize(..computers.len())];
            let length = match self.rng.u8(..100) {
                0 => TimeDelta::zero(),
                1..=19 => self.milliseconds(300_000),
                _ => TimeDelta::minutes(20) + self.milliseconds(14_400_000),
            };
            self.visit(user_id, computer, (login, Some(login + length)));
            login += length + self.milliseconds(5_400_000);
        }
    }

    /// Makes the sessions of somebody who is called at all hours: short ones, around the clock.
    fn shifts(&mut self, user_id: i64, computer: &str) {
        let mut login = self.now - TimeDelta::days(7) + self.milliseconds(3_600_000);
        while login < self.now {
            let length = TimeDelta::minutes(4) + self.milliseconds(2_400_000);
            self.visit(user_id, computer, (login, Some(login + length)));
            login += length + self.milliseconds(2_400_000);
        }
    }

    /// Makes a session. One that would end in the future is not finished; one that would begin there is not made.
    fn visit(
        &mut self,
        user_id: i64,
        computer: &str,
        (login, logout): (DateTime<Utc>, Option<DateTime<Utc>>),
    ) {
        if login > self.now {
            return;
        }
        let logout = logout.filter(|logout| *logout <= self.now);
        let lasted = (logout.unwrap_or(self.now) - login).num_milliseconds();
        let n_activities = self.rng.usize(0..=12);
        let activities: Vec<_> =
            (0..n_activities).map(|_| login + self.milliseconds(lasted)).collect();
        let record = SessionRecord {
            logout,
            client_guid: computer.to_owned(),
            ..SessionRecord::unfinished(0, user_id, login)
        };
        self.records.push(record.with_activities(activities));
    }

    /// Draws a duration from nothing up to so many milliseconds.
    fn milliseconds(&mut self, at_most: i64) -> TimeDelta {
        TimeDelta::milliseconds(self.rng.i64(0..=at_most))
    }
}

/// Returns an identifier in the form of the published examples, whose digits are not all hexadecimal.
fn guid(rng: &mut Rng) -> String {
    let digits = hex_digits(rng, 28);
    format!("{}-g3ff-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..])
}
