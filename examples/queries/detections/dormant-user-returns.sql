-- sessionql: 1
-- name: dormant user returns
-- description: A user of the database proxy begins a session after a long time without one.
--     The source looks for privileged accounts that were idle for 90 days, and has one day in its
--     code; this has one parameter. Who has no earlier session within the baseline is not reported,
--     for nothing tells a new user from an old one.
-- severity: medium  owner: secops  tags: [db, T1078]
-- source: Microsoft Sentinel 0a70fd03-6f58-4df3-ab39-f9d123d538cd
-- param: from timestamp = now - 24h -- sessions that began since then
-- param: baseline timestamp = now - 28d -- how far back to look for earlier ones
-- param: away interval = 14d -- how long is long
-- expect: empty
SELECT user, start AS returned, last_seen, start - last_seen AS away
FROM (
    SELECT
        user,
        start,
        max(coalesce(end, now())) OVER (
            PARTITION BY user
            ORDER BY start, id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS last_seen
    FROM formal
    SINCE $baseline
) AS f
WHERE start >= $from AND start - last_seen >= $away
ORDER BY returned, user;
