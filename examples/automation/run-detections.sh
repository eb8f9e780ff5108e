#!/bin/sh
# Runs the saved queries of a directory, and keeps what each of them finds.
#
#   run-detections.sh QUERIES RESULTS [OPTION...]
#
# RESULTS/NAME.jsonl   the rows of the last run of QUERIES/NAME.sql that had a result
# RESULTS/NAME.log     what that run said on standard error
# RESULTS/summary.jsonl  one line for each run, appended
#
# QUERIES/NAME.params.toml gives a query its parameters, if it is there. Ends with the worst code of
# all: 0 if nothing is found, 1 if something is, another one if a query did not run as it should;
# prints what went wrong, so that cron sends a mail then and only then.
set -u
queries=$1
results=$2
shift 2

rank() {
    case $1 in
    0 | 1 | 2) echo "$1" ;;
    4) echo 3 ;;
    5) echo 4 ;;
    3) echo 5 ;;
    *) echo 6 ;;
    esac
}

mkdir -p "$results" || exit 2
worst=0
for query in "$queries"/*.sql; do
    name=$(basename "$query" .sql)
    log=$results/$name.log
    parameters=$queries/$name.params.toml
    [ -f "$parameters" ] || parameters=/dev/null
    sessionql -f "$query" --params-file "$parameters" --format jsonl \
        --output "$results/$name.jsonl" --summary --quiet "$@" 2>"$log"
    code=$?
    grep '^{' "$log" >>"$results/summary.jsonl"
    [ "$code" -eq 0 ] || grep -v '^{' "$log"
    [ "$(rank "$code")" -le "$(rank "$worst")" ] || worst=$code
done
exit "$worst"
