//! The four providers side by side, each meaning its words in any way it may: random queries over
//! one of them, over `sessions`, and joins between two. The rows are those of the model, or the
//! answer says that they are not and which way they are off.

use proptest::prelude::*;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::{
    Clock, ekran, ekran_toml, formal, formal_toml, oam, oam_toml, openvpn, openvpn_toml,
};
use sessionql_tests::model::{
    Asked, Condition, Owes, Row, Window, check_alone, check_pair, condition, config, now, window,
};
use sessionql_tests::{
    ekran as ekran_world, engine, formal as formal_world, oam as oam_world, run,
};

use super::openvpn_model;

/// The tables, in the order of their names.
const TABLES: [&str; 4] = ["ekran", "formal", "oam", "openvpn"];

/// What the providers hold and what they mean by their words.
#[derive(Clone, Debug)]
struct Setting {
    openvpn: (Vec<openvpn::SessionRecord>, openvpn::Switches),
    formal: (Vec<formal::SessionRecord>, formal::Switches),
    formal_options: String,
    oam: (Vec<oam::SessionRecord>, oam::Switches),
    ekran: (Vec<ekran::SessionRecord>, ekran::Switches),
}

/// The providers, and an engine that is connected to all.
struct Company {
    openvpn: openvpn::Emulator,
    formal: formal::Emulator,
    oam: oam::Emulator,
    ekran: ekran::Emulator,
    engine: Engine,
    /// What each table holds, by the model.
    rows: [Vec<Row>; 4],
}

impl Company {
    fn of(setting: Setting) -> Self {
        let clock = Clock::fixed(now());
        let here = "a loopback socket is free";
        let (sessions, switches) = setting.openvpn;
        let rows = sessions.iter().map(|record| openvpn_model::shown_as(record, &switches));
        let openvpn_rows = rows.collect();
        let options = openvpn::Options::empty(clock.clone());
        let openvpn = openvpn::Emulator::start(openvpn::Options { sessions, switches, ..options });
        let openvpn = openvpn.expect(here);

        let (sessions, switches) = setting.formal;
        let formal_rows = sessions.iter().map(|record| formal_row(record, &switches)).collect();
        let options = formal::Options::empty(clock.clone());
        let formal = formal::Emulator::start(formal::Options { sessions, switches, ..options });
        let formal = formal.expect(here);

        let (sessions, switches) = setting.oam;
        let oam_rows = sessions.iter().map(oam_row).collect();
        let options = oam::Options::empty(clock.clone());
        let oam = oam::Emulator::start(oam::Options { sessions, switches, ..options }).expect(here);

        let (sessions, switches) = setting.ekran;
        let ekran_rows = sessions.iter().map(ekran_row).collect();
        let options = ekran::Options::empty(clock.clone());
        let ekran = ekran::Emulator::start(ekran::Options { sessions, switches, ..options });
        let ekran = ekran.expect(here);

        let toml = [
            openvpn_toml(&openvpn),
            formal_toml(&formal) + &setting.formal_options,
            oam_toml(&oam),
            ekran_toml(&ekran),
        ];
        let engine = engine(&toml.join("\n"), &clock);
        let rows = [ekran_rows, formal_rows, oam_rows, openvpn_rows];
        Self { openvpn, formal, oam, ekran, engine, rows }
    }

    fn run(&self, sql: &str) -> sessionql_tests::Answer {
        run(&self.engine, sql, &ExecuteOptions::default())
    }

    fn asked<'a>(&'a self, table: usize, query: &'a (Window, Condition)) -> Asked<'a> {
        let (table, rows) = (TABLES[table], &self.rows[table]);
        Asked { table, rows, window: &query.0, condition: &query.1 }
    }

    /// Nobody asked for what changes or ends a session.
    fn assert_harmless(&self) {
        assert!(self.openvpn.violations().is_empty());
        assert!(self.formal.violations().is_empty());
        assert!(self.oam.violations().is_empty());
        assert!(self.ekran.violations().is_empty());
    }
}

fn formal_row(record: &formal::SessionRecord, switches: &formal::Switches) -> Row {
    let shown = formal_world::Shown::of(record, switches);
    Row {
        id: shown.id,
        user: shown.user,
        status: Some(shown.status),
        start: shown.start,
        end: shown.end,
        client_ip: shown.client_ip,
        provider: "formal".to_owned(),
        connection: "formal".to_owned(),
    }
}

fn oam_row(record: &oam::SessionRecord) -> Row {
    Row {
        id: record.id.clone(),
        user: Some(record.user.clone()),
        status: Some("ACTIVE".to_owned()),
        start: Some(record.created_at),
        end: None,
        client_ip: record.client_ip.clone(),
        provider: "oam".to_owned(),
        connection: "oam".to_owned(),
    }
}

fn ekran_row(record: &ekran::SessionRecord) -> Row {
    Row {
        id: record.session_id.to_string(),
        user: Some(record.user_id.to_string()),
        status: Some(ekran_world::value(record, "status")),
        start: Some(record.login),
        end: record.logout,
        client_ip: None,
        provider: "ekran".to_owned(),
        connection: "ekran".to_owned(),
    }
}

fn setting() -> impl Strategy<Value = Setting> {
    let formal = formal_world::switches().prop_flat_map(|switches| {
        // What lies before the history is missing without a word where no time is asked for.
        let switches = formal::Switches { history: None, ..switches };
        let options = formal_world::settings(&switches);
        (formal_world::sessions(), Just(switches), options)
    });
    (
        (openvpn_model::sessions(), openvpn_model::switches()),
        formal,
        (oam_world::sessions(40), oam_world::switches()),
        (ekran_world::sessions(now()), ekran_world::switches()),
    )
        .prop_map(|(openvpn, formal, oam, ekran)| {
            let (sessions, switches, formal_options) = formal;
            Setting { openvpn, formal: (sessions, switches), formal_options, oam, ekran }
        })
}

fn query() -> impl Strategy<Value = (Window, Condition)> {
    (window(), condition())
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_provider_alone_is_held_to_the_model(
        setting in setting(),
        table in 0..4_usize,
        queries in prop::collection::vec(query(), 2),
    ) {
        let company = Company::of(setting);
        for pushdown in ["on", "off"] {
            company.run(&format!("SET pushdown = {pushdown}"));
            for query in &queries {
                let asked = company.asked(table, query);
                check_alone(&|sql| company.run(sql), &asked, Owes::RowsOrAWord);
            }
        }
        company.assert_harmless();
    }

    #[test]
    fn sessions_are_held_to_the_model(
        setting in setting(),
        query in query(),
    ) {
        let company = Company::of(setting);
        let rows = company.rows.concat();
        let (window, condition) = &query;
        let asked = Asked { table: "sessions", rows: &rows, window, condition };
        for pushdown in ["on", "off"] {
            company.run(&format!("SET pushdown = {pushdown}"));
            check_alone(&|sql| company.run(sql), &asked, Owes::RowsOrAWord);
        }
        company.assert_harmless();
    }

    #[test]
    fn joins_of_two_providers_are_held_to_the_model(
        setting in setting(),
        tables in (0..4_usize, 0..4_usize),
        queries in (query(), query()),
    ) {
        let company = Company::of(setting);
        let (one, other) = (company.asked(tables.0, &queries.0), company.asked(tables.1, &queries.1));
        check_pair(&|sql| company.run(sql), &one, &other, Owes::RowsOrAWord);
        company.assert_harmless();
    }
}
