-- sessionql: 1
-- name: off hours
-- description: A session begins at a weekend or outside of working hours.
--     The sources learn the hours at which each user works; this has the same hours for all, in the
--     query's time zone, and knows no holidays.
-- severity: info  owner: secops  tags: [vpn, sso, db, uam, T1078]
-- source: Microsoft Sentinel f56b2223-0d4d-4347-9de4-822d195624ee, Panther Query.Okta.SWAOffHoursAccessBehavioral
-- param: from timestamp = now - 24h -- sessions that began since then
-- param: opens int = 6 -- the first hour of work
-- param: closes int = 21 -- the first hour after it
-- expect: empty
SELECT connection, user, start, client_ip
FROM sessions
SINCE $from
WHERE start >= $from
    AND (
        extract(hour FROM start) < $opens
        OR extract(hour FROM start) >= $closes
        OR extract(dow FROM start) IN (0, 6)
    )
ORDER BY start, connection, id;
