//! The sample sessions of Acme's single sign-on: what is open now.
//! In: the company, a seed and the instant that is "now". Out: some hundred records.
//! Called by `Options::seeded`. The same seed and instant give the same records; nothing here reads a clock.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use fastrand::Rng;

use super::HOT_LOGIN;
use super::session::SessionRecord;
use crate::company::{Company, Person, uuid};

/// Sessions of the one who has more than an answer holds.
const N_HOT: usize = 40;

const STORES: [&str; 3] = ["UserIdentityStore1", "ContractorStore", "LegacyLDAP"];

/// Makes the records of all people, in no particular order.
pub(super) fn sessions(company: &Company, seed: u64, now: DateTime<Utc>) -> Vec<SessionRecord> {
    let now = now.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(now);
    // Another stream of random numbers than those that made the company and its tunnels.
    let mut rng = Rng::with_seed(seed ^ 0x006f_616d);
    let mut records = Vec::new();
    for person in &company.people {
        if person.login == HOT_LOGIN {
            records.extend((0..N_HOT).map(|n| hot(&mut rng, company, person, now, n)));
            continue;
        }
        for _ in 0..rng.usize(0..=4) {
            let in_office = rng.u8(..10) < 4;
            let address = if in_office { &company.office_ip } else { &person.home_ip };
            let store = if person.group == "Contractors" { STORES[1] } else { STORES[0] };
            let mut record = record(&mut rng, person, address, store, now);
            record.is_impersonating = Some(rng.u8(..20) == 0);
            records.push(record);
        }
    }
    records
}

/// Makes a session of the one who has many, over several addresses and stores.
fn hot(
    rng: &mut Rng,
    company: &Company,
    person: &Person,
    now: DateTime<Utc>,
    n: usize,
) -> SessionRecord {
    let addresses = [
        &person.home_ip,
        &company.office_ip,
        &company.people[0].home_ip,
        &company.people[1].home_ip,
    ];
    let store = if n.is_multiple_of(7) { STORES[0] } else { STORES[1] };
    let mut record = record(rng, person, addresses[n % addresses.len()], store, now);
    record.is_impersonating = Some(n.is_multiple_of(9));
    record
}

fn record(
    rng: &mut Rng,
    person: &Person,
    address: &str,
    store: &str,
    now: DateTime<Utc>,
) -> SessionRecord {
    let signature: Vec<u8> = (0..32).map(|_| rng.u8(..)).collect();
    let id = format!("{}|{}", uuid(rng), STANDARD.encode(signature));
    // Nobody logged in within the last five minutes.
    let created_at = now - TimeDelta::minutes(5) - TimeDelta::milliseconds(rng.i64(0..28_000_000));
    let idle = TimeDelta::milliseconds(rng.i64(0..(now - created_at).num_milliseconds()));
    SessionRecord {
        index: Some(format!("{:08x}", rng.u32(..))),
        updated_at: Some(now - idle),
        last_access: Some(now - idle),
        expires_at: Some(created_at + TimeDelta::hours(8)),
        client_ip: Some(address.to_owned()),
        id_store: Some(store.to_owned()),
        attributes: vec![("mail".to_owned(), person.email.clone())],
        ..SessionRecord::new(&id, &person.login, created_at)
    }
}
