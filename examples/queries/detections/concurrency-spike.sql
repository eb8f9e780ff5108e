-- sessionql: 1
-- name: concurrency spike
-- description: One user has far more VPN sessions open at once today than on other days.
--     The source learns what is usual with a model; here it is the mean of the user's days and three
--     deviations more. A day of 24 hours counts what is open in it, also what began before. Days
--     without a session count as none. The API keeps seven days in its older
--     version, so that a longer history is one with gaps.
-- severity: medium  owner: secops  tags: [vpn, T1078]
-- source: Elastic a300dea6-e228-40e1-9123-a339e207378b
-- param: history interval = 5d -- the whole days before that make what is usual
-- param: deviations float = 3 -- how many deviations above the mean are too many
-- param: least int = 3 -- fewer at once are never told of
-- param: active_days int = 3 -- on how many of those days somebody must have been connected
-- expect: empty
WITH day AS (
    SELECT back, now() - 24h * (back + 1) AS since, now() - 24h * back AS until
    FROM (SELECT unnest(generate_series(0, ($history / 24h)::int)) AS back) AS n
),
by_day AS (
    SELECT v.user, d.back, max_concurrent(greatest(v.start, d.since), v.end) AS at_once
    FROM openvpn AS v JOIN day AS d ON (v.start, v.end) OVERLAPS (d.since, d.until)
    SINCE now - 24h - $history
    WHERE v.user IS NOT NULL
    GROUP BY v.user, d.back
),
usual AS (
    SELECT
        user,
        count(*) AS active_days,
        sum(at_once) / ($history / 24h) AS mean,
        sqrt(
            greatest(
                sum(at_once * at_once) / ($history / 24h)
                    - power(sum(at_once) / ($history / 24h), 2),
                0
            )
        ) AS deviation
    FROM by_day
    WHERE back > 0
    GROUP BY user
)
SELECT b.user, b.at_once, round(u.mean, 2) AS usual, round(u.deviation, 2) AS deviation
FROM by_day AS b JOIN usual AS u ON u.user = b.user
WHERE b.back = 0
    AND b.at_once >= $least
    AND u.active_days >= $active_days
    AND b.at_once > u.mean + $deviations * u.deviation
ORDER BY b.at_once DESC, b.user;
