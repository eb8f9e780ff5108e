-- sessionql: 1
-- name: far logins within minutes
-- description: One user begins two sessions within minutes, from addresses that share no network of 16 bits.
--     The source asks for rare countries and compares the addresses of a company's own VPN as whole
--     texts; here networks stand for places, so that no database is needed, and known networks may be
--     ranges. `impossible-travel.sql` asks a database.
--     A user is one by name: who is called otherwise at another provider is somebody else.
-- severity: medium  owner: secops  tags: [vpn, sso, T1078]
-- source: Microsoft Sentinel 09a7c5fc-0649-4f7d-a21b-36a754cef6b6
-- param: from timestamp = now - 24h -- sessions that began since then
-- param: within interval = 10m -- how far apart they may begin
-- param: known cidr[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'] -- networks that mean no place
-- expect: empty
SELECT
    a.user,
    a.connection AS first_connection,
    a.client_ip AS first_ip,
    a.start AS first_start,
    b.connection AS second_connection,
    b.client_ip AS second_ip,
    b.start AS second_start
FROM sessions AS a
    JOIN sessions AS b
        ON a.user = b.user AND b.start >= a.start AND b.start <= a.start + $within
SINCE $from
WHERE a.start >= $from
    AND ip_prefix(a.client_ip, 16) <> ip_prefix(b.client_ip, 16)
    AND (a.start < b.start OR a.client_ip < b.client_ip)
    AND NOT ip_in(a.client_ip, $known)
    AND NOT ip_in(b.client_ip, $known)
ORDER BY first_start, a.id, b.id;
