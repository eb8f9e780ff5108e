//! Serves the emulators until it is killed, for trying `sessionql` by hand.
//! In: a port, a seed and switches on the command line. Out: on stdout the base URL, the credentials and a configuration.
//! Started by people alone; tests use the library. It listens on 127.0.0.1 and keeps nothing.

use std::io::{self, Write as _};
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Parser, ValueEnum};
use sessionql_sandbox::openvpn::{
    Emulator, Missing, Options, PageOrder, RateLimit, Switches, UnknownStatus, Updated,
};
use sessionql_sandbox::{
    Clock, EKRAN_IS_KNOWN, ekran, ekran_toml, formal, formal_toml, oam, oam_toml, openvpn_toml,
    write_config,
};

/// Emulates the four providers with the sessions of an imaginary company. The switches are those of
/// OpenVPN CloudConnexa.
#[derive(Debug, Parser)]
#[command(name = "sandbox")]
struct Command {
    /// Port of OpenVPN CloudConnexa on 127.0.0.1, the next ones are those of Formal, Oracle Access
    /// Manager and Ekran System; 0 takes free ones
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Chooses the sample data
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stops the clock at an instant such as 2025-03-01T12:00:00Z
    #[arg(long, value_name = "INSTANT")]
    now: Option<DateTime<Utc>>,
    /// Writes config.toml into this directory
    #[arg(long, value_name = "DIR")]
    write_config: Option<PathBuf>,
    /// Limits requests as the vendor does: 20 at once, then one each 15 s
    #[arg(long)]
    rate_limit: bool,
    /// Days of history, instead of 7 (beta) and 30 (v1)
    #[arg(long, value_name = "DAYS")]
    history: Option<i64>,
    /// Most rows on a page, whatever is asked for
    #[arg(long, value_name = "ROWS")]
    page_cap: Option<usize>,
    /// Makes every n-th page empty
    #[arg(long, value_name = "N")]
    empty_page_every: Option<usize>,
    /// Rows that later pages repeat
    #[arg(long, value_name = "ROWS", default_value_t = 0)]
    repeated_rows: usize,
    /// Order of the pages
    #[arg(long, value_enum, default_value_t = Order::Created)]
    order: Order,
    /// What "updated between the dates" means
    #[arg(long, value_enum, default_value_t = Window::CreatedOrLast)]
    updated: Window,
    /// Counts active sessions as updated just now
    #[arg(long)]
    active_counts_as_updated: bool,
    /// Shows missing fields as null
    #[arg(long)]
    nulls: bool,
    /// Shows numbers as strings
    #[arg(long)]
    numbers_as_text: bool,
    /// Ignores an unknown status instead of refusing it
    #[arg(long)]
    ignore_unknown_status: bool,
    /// Shows about one in so many closed sessions without an end
    #[arg(long, value_name = "N")]
    closed_without_end: Option<u64>,
    /// Seconds that an access token is good for
    #[arg(long, value_name = "SECONDS", default_value_t = 43_199)]
    token_lifetime: i64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Created,
    CreatedDescending,
    Updated,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Window {
    CreatedOrLast,
    LastOnly,
    Any,
}

impl Command {
    fn switches(&self) -> Switches {
        let defaults = Switches::default();
        Switches {
            page_order: match self.order {
                Order::Created => PageOrder::CreatedAscending,
                Order::CreatedDescending => PageOrder::CreatedDescending,
                Order::Updated => PageOrder::UpdatedAscending,
            },
            updated: match self.updated {
                Window::CreatedOrLast => Updated::CreatedOrLast,
                Window::LastOnly => Updated::LastOnly,
                Window::Any => Updated::Any,
            },
            active_counts_as_updated: self.active_counts_as_updated,
            missing: if self.nulls { Missing::Null } else { Missing::Absent },
            numbers_as_text: self.numbers_as_text,
            page_cap: self.page_cap,
            empty_page_every: self.empty_page_every,
            unknown_status: if self.ignore_unknown_status {
                UnknownStatus::Ignored
            } else {
                defaults.unknown_status
            },
            repeated_rows: self.repeated_rows,
            history: self.history.map(TimeDelta::days),
            closed_without_end: self.closed_without_end,
            rate_limit: self.rate_limit.then(RateLimit::vendor),
            token_lifetime: TimeDelta::seconds(self.token_lifetime),
            ..defaults
        }
    }
}

fn main() -> io::Result<()> {
    let command = Command::parse();
    let clock = command.now.map_or_else(Clock::system, Clock::fixed);
    let options = Options {
        port: command.port,
        switches: command.switches(),
        ..Options::seeded(command.seed, clock.clone())
    };
    let n_sessions = options.sessions.len();
    let emulator = Emulator::start(options)?;
    let port = |n: u16| if command.port == 0 { 0 } else { command.port.saturating_add(n) };
    let formal = formal::Emulator::start(formal::Options {
        port: port(1),
        ..formal::Options::seeded(command.seed, clock.clone())
    })?;
    let oam = oam::Emulator::start(oam::Options {
        port: port(2),
        ..oam::Options::seeded(command.seed, clock.clone())
    })?;
    let ekran = ekran::Emulator::start(ekran::Options {
        port: port(3),
        ..ekran::Options::seeded(command.seed, clock)
    })?;
    let config = [
        openvpn_toml(&emulator),
        formal_toml(&formal),
        oam_toml(&oam),
        ekran_toml(&ekran) + EKRAN_IS_KNOWN,
    ]
    .join("\n");

    let mut stdout = io::stdout().lock();
    let listed = [
        ("OpenVPN CloudConnexa", n_sessions, emulator.base_url()),
        ("Formal", formal.sessions().len(), formal.base_url()),
        ("Oracle Access Manager", oam.sessions().len(), oam.base_url()),
        ("Ekran System", ekran.sessions().len(), ekran.base_url()),
    ];
    for (name, n_sessions, base_url) in listed {
        writeln!(stdout, "{name:<22}{n_sessions:>6} sessions   {base_url}")?;
    }
    writeln!(stdout, "\n{config}")?;
    if let Some(dir) = &command.write_config {
        writeln!(stdout, "written to {}", write_config(dir, &config)?.display())?;
    }
    stdout.flush()?;
    drop(stdout);

    // The server has a thread of its own.
    loop {
        std::thread::park();
    }
}
