-- sessionql: 1
-- name: two addresses at once
-- description: One user is connected to the VPN from two addresses at the same time.
--     The source counts the addresses of sign-ins to Azure in bins of five minutes, and misses two
--     that lie on both sides of a border; this compares VPN sessions with each other.
-- severity: medium  owner: secops  tags: [vpn, T1078, T1185]
-- source: Splunk ESCU a9126f73-9a9b-493d-96ec-0dd06695490d
-- param: from timestamp = now - 24h -- sessions open since then
-- param: together interval = 1m -- for how long at least; a client that changes networks needs a moment
-- expect: empty
SELECT
    a.user,
    a.client_ip AS first_ip,
    b.client_ip AS second_ip,
    overlap_start(a, b) AS since,
    overlap(a, b) AS together
FROM openvpn AS a JOIN openvpn AS b ON a.user = b.user AND a.id < b.id AND a OVERLAPS b
SINCE $from
WHERE a.client_ip <> b.client_ip AND overlap(a, b) >= $together
ORDER BY since, a.id, b.id;
