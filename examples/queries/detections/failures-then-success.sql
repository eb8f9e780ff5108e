-- sessionql: 1
-- name: failures of many users, then a success
-- description: VPN sessions of many users fail from one address, and then one from there does not.
--     The source looks for a burst of failed sign-ins in bins of time and for a success after it; this
--     takes all failures of the window as one burst.
-- severity: high  owner: secops  tags: [vpn, T1110.003]
-- source: Microsoft Sentinel 5c3a480b-d7a8-4a9c-a6b5-5bb2e3ebac89
-- param: from timestamp = now - 6h -- sessions that began since then
-- param: users int = 3 -- how many users are many
-- param: within interval = 1h -- how long after the last failure
-- expect: empty
WITH failed AS (
    SELECT
        client_ip,
        count(*) AS failures,
        count(DISTINCT user) AS users,
        min(start) AS first_failure,
        max(start) AS last_failure
    FROM openvpn
    WHERE status = 'FAILED' AND start >= $from AND client_ip IS NOT NULL
    GROUP BY client_ip
    HAVING count(DISTINCT user) >= $users
)
SELECT f.client_ip, f.users, f.failures, s.user, s.start AS success
FROM failed AS f JOIN openvpn AS s ON s.client_ip = f.client_ip
WHERE s.status <> 'FAILED'
    AND s.start >= $from
    AND s.start BETWEEN f.first_failure AND f.last_failure + $within
ORDER BY success, s.id;
