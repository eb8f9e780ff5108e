-- sessionql: 1
-- name: many sessions at once
-- description: One user has more VPN sessions open at the same instant than anybody needs.
--     The source counts sessions that begin within half an hour at Okta; this counts those that are
--     open together, however long ago each began.
-- severity: medium  owner: secops  tags: [vpn, T1550.004]
-- source: Elastic 621e92b6-7e54-11ee-bdc0-f661ea17fbcd
-- param: from timestamp = now - 24h -- sessions open since then
-- param: most int = 3 -- how many are usual
-- expect: empty
SELECT
    user,
    max_concurrent(start, end) AS at_once,
    count(*) AS sessions,
    count(DISTINCT client_ip) AS addresses
FROM openvpn
SINCE $from
WHERE user IS NOT NULL
GROUP BY user
HAVING max_concurrent(start, end) > $most
ORDER BY at_once DESC, user;
