#!/usr/bin/env python3
"""Joins of overlapping sessions: sessionql beside DuckDB, in the same run, over the same Parquet files.

Needs DuckDB's Python package (`pip install duckdb`) and a release build of sessionql:

    cargo build --release
    python3 tests/benches/overlaps.py target/release/sessionql [--rounds 5] [--only NAME]

The files are made anew in a temporary directory. Each round runs each case once in DuckDB, on a
connection that is open already, and once as a whole run of the program, start and end included.
Both use all processors. Seconds are medians; a case that takes DuckDB more than a minute is ended.
Answers must be equal, or the script fails.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import duckdb

DAY_US = 86_400_000_000
MOST_SECONDS = 60


def sessions(n_rows, n_users, n_days, mean_s, *, hot=0, open_ends=0, nested=False, same=False):
    """SELECT of `n_rows` sessions: random users, starts and lengths, all by hash, the same each time.

    `hot`: so many of them are of one user. `open_ends`: one in so many has no end. `nested`: each
    lies within the one before. `same`: all last from the same start to the same end.
    """
    start, length = f"hash(i * 13 + 5) % {n_days * DAY_US}", f"hash(i * 31 + 9) % {2 * mean_s * 1_000_000}"
    if nested:
        start, length = "i * 1000000", f"{2 * n_rows * 1_000_000} - 2 * i * 1000000"
    if same:
        start, length = "0", "1000000"
    user = f"CASE WHEN i < {hot} THEN 'hot' ELSE 'user' || lpad((hash(i * 7 + 1) % {n_users})::VARCHAR, 7, '0') || '@example.com' END"
    end = "make_timestamptz(s + d)"
    if open_ends:
        end = f"CASE WHEN i % {open_ends} = 0 THEN NULL ELSE {end} END"
    return f"""
        SELECT 'id-' || i AS id, {user} AS "user", make_timestamptz(s) AS start, {end} AS "end", n
        FROM (
            SELECT i, 1767225600000000 + ({start})::BIGINT AS s, ({length})::BIGINT AS d,
                (hash(i * 3) % 1000000)::BIGINT AS n
            FROM range({n_rows}) t(i)
        )"""


TABLES = {
    "million": sessions(1_000_000, 20_000, 30, 6 * 3600),
    "fifty": sessions(50_000, 20_000, 30, 6 * 3600),
    "hot": sessions(1_000_000, 20_000, 30, 600, hot=200_000),
    "hotter": sessions(200_000, 1, 30, 180, hot=200_000),
    "fours": sessions(1_000_000, 250_000, 30, 6 * 3600),
    "singles": sessions(1_000_000, 1 << 40, 30, 6 * 3600),
    "open": sessions(200_000, 4_000, 30, 6 * 3600, open_ends=20),
    "nested": sessions(10_000, 1, 1, 1, hot=10_000, nested=True),
    "same": sessions(10_000, 1, 1, 1, hot=10_000, same=True),
}

MEET = 'a.start < b."end" AND b.start < a."end"'
USER = 'a."user" = b."user"'
KEPT = "count(*) AS pairs, max(a.n) AS of_a, max(b.n) AS of_b"


def case(table, select, on, ours=None):
    """A query for both; `ours` stands for the condition where the language has a shorter one."""
    return table, f"SELECT {select} FROM {table} a JOIN {table} b ON {on}", ours and (
        f"SELECT {select} FROM {table} a JOIN {table} b ON {ours}"
    )


CASES = {
    "per user, count": case("million", "count(*)", f"{USER} AND {MEET}", f"{USER} AND a OVERLAPS b"),
    "per user, two columns": case("million", KEPT, f"{USER} AND {MEET}"),
    "without key, count": case("fifty", "count(*)", MEET, "a OVERLAPS b"),
    "without key, two columns": case("fifty", KEPT, MEET),
    "one user of 200,000": case("hotter", KEPT, f"{USER} AND {MEET}"),
    "a fifth of one user": case("hot", "count(*)", f"{USER} AND {MEET}"),
    "four a user": case("fours", "count(*)", f"{USER} AND {MEET}"),
    "four a user, two columns": case("fours", KEPT, f"{USER} AND {MEET}"),
    "one a user": case("singles", "count(*)", f"{USER} AND {MEET}"),
    "one a user, two columns": case("singles", KEPT, f"{USER} AND {MEET}"),
    "open ends": case(
        "open",
        "count(*)",
        f"{USER} AND (b.\"end\" IS NULL OR a.start < b.\"end\") AND (a.\"end\" IS NULL OR b.start < a.\"end\")",
        f"{USER} AND a OVERLAPS b",
    ),
    "one within the other": case("nested", "count(*)", f"{USER} AND {MEET}"),
    "all the same": case("same", KEPT, f"{USER} AND {MEET}"),
    "contained": case(
        "million",
        "count(*)",
        f'{USER} AND a.start <= b.start AND b."end" <= a."end" AND a.start < a."end"',
    ),
    "has a partner": (
        "million",
        f"SELECT count(*) FROM million a WHERE EXISTS (SELECT 1 FROM million b WHERE {USER} AND {MEET} AND a.id <> b.id)",
        None,
    ),
    "has none": (
        "million",
        f"SELECT count(*) FROM million a WHERE NOT EXISTS (SELECT 1 FROM fifty b WHERE {USER} AND {MEET})",
        None,
    ),
    "the latest before": (
        "million",
        'SELECT count(*), max(b.n) FROM million a ASOF JOIN fifty b ON a."user" = b."user" AND a.start >= b.start',
        None,
    ),
    "the latest before, of a million": (
        "million",
        'SELECT count(*) FROM million a ASOF JOIN million b ON a."user" = b."user" AND a.start >= b.start',
        None,
    ),
}


def in_duckdb(connection, query):
    """Returns the seconds and the row; `None` for the row if it took too long."""
    timer = threading.Timer(MOST_SECONDS, connection.interrupt)
    timer.start()
    began = time.perf_counter()
    try:
        row = connection.execute(query).fetchone()
    except duckdb.InterruptException:
        row = None
    finally:
        timer.cancel()
    return time.perf_counter() - began, row


def in_sessionql(program, config, query):
    """Returns the seconds and the row."""
    began = time.perf_counter()
    command = [program, "--config", config, "--no-init", "--format", "csv", "-c", query]
    child = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    elapsed = time.perf_counter() - began
    if child.returncode != 0:
        sys.exit(f"sessionql failed: {query}")
    row = child.stdout.decode().splitlines()[1].split(",")
    return elapsed, tuple(int(value) for value in row)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", help="names of cases, or parts of them")
    arguments = parser.parse_args()
    cases = {
        name: case
        for name, case in CASES.items()
        if not arguments.only or any(part in name for part in arguments.only)
    }
    with tempfile.TemporaryDirectory() as directory:
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        config = os.path.join(directory, "config.toml")
        with open(config, "w", encoding="utf-8") as file:
            for table, select in TABLES.items():
                path = os.path.join(directory, f"{table}.parquet")
                connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
                connection.execute(f"CREATE VIEW \"{table}\" AS SELECT * FROM '{path}'")
                time_columns = 'time = { start = "start", end = "end" }'
                file.write(f'[tables.{table}]\npath = "{path}"\n{time_columns}\n')
        # What is still to be written to the disk would be written meanwhile.
        os.sync()
        print(f"| case | pairs | DuckDB {duckdb.__version__} | sessionql | ratio |")
        print("|---|---:|---:|---:|---:|")
        for name, (_, query, ours) in cases.items():
            theirs, own = [], []
            for _ in range(arguments.rounds):
                elapsed, expected = in_duckdb(connection, query)
                theirs.append(elapsed)
                elapsed, row = in_sessionql(arguments.program, config, ours or query)
                own.append(elapsed)
                if expected is not None and tuple(expected) != row:
                    sys.exit(f"{name}: DuckDB says {expected}, sessionql {row}")
                if expected is None:
                    break
            duck, ql = statistics.median(theirs), statistics.median(own)
            ended = ">" if expected is None else ""
            ratio = f"{'<' if ended else ''}{ql / duck:.2f}"
            print(f"| {name} | {row[0]:,} | {ended}{duck:.2f} s | {ql:.2f} s | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
