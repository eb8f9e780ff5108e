-- sessionql: 1
-- name: session from a listed network
-- description: A session comes from a network on a list, such as the exits of an anonymising proxy.
--     The source asks a service that classifies addresses; here the list is given.
-- severity: high  owner: secops  tags: [vpn, sso, db, T1090.003]
-- source: Sigma bde30855-5c53-4c18-ae90-1ff79ebc9578
-- param: networks cidr[] -- the list
-- param: from timestamp = now - 24h -- sessions open since then
-- expect: empty
SELECT connection, user, start, client_ip, status
FROM sessions
SINCE $from
WHERE ip_in(client_ip, $networks)
ORDER BY start, connection, id;
