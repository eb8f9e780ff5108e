-- sessionql: 1
-- name: overlong session
-- description: A session on a monitored computer lasts longer than a working day.
--     The source learns how long remote sessions of a host usually last; this has one limit for all,
--     and counts a session that is still open up to now.
-- severity: low  owner: secops  tags: [uam, T1021.001]
-- source: Elastic a74c60cb-70ee-4629-a127-608ead14ebf1
-- param: from timestamp = now - 24h -- sessions open since then
-- param: longest interval = 14h -- how long one may last
-- expect: empty
SELECT user, client_guid, start, end, duration
FROM ekran
SINCE $from
WHERE duration > $longest
ORDER BY duration DESC, start;
