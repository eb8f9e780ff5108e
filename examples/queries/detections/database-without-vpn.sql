-- sessionql: 1
-- name: database session without VPN
-- description: A person begins a database session while no VPN session of theirs is open.
--     The source finds logins to a cloud console that went past single sign-on; this finds sessions
--     that went past the VPN. People are matched by email, and a session without one is reported.
-- severity: high  owner: secops  tags: [db, vpn, T1078]
-- source: Panther AWS.Console.LoginWithoutSAML
-- param: from timestamp = now - 24h -- database sessions that began since then
-- param: grace interval = 5m -- how long ago the VPN session may have ended
-- expect: empty
SELECT d.user, d.formal_user_email AS email, d.start, d.resource_name, d.client_ip
FROM formal AS d
SINCE $from
WHERE d.start >= $from
    AND d.formal_user_type = 'human'
    AND NOT EXISTS (
        SELECT 1
        FROM openvpn AS v
        SINCE $from - $grace
        WHERE lower(v.email) = lower(d.formal_user_email)
            AND (v CONTAINS d.start OR v OVERLAPS (d.start - $grace, d.start))
    )
ORDER BY d.start, d.id;
