-- sessionql: 1
-- name: new device
-- description: A user connects to the VPN with a device that they have not used before.
--     The source looks for the first session of an Okta user through a proxy; this looks for a device.
--     The baseline is what the API keeps, seven days in its older version, so a device that was away
--     for longer is new again, and so is every device of a user who was.
-- severity: low  owner: secops  tags: [vpn, T1078]
-- source: Elastic 6f1bb4b2-7dc8-11ee-92b2-f661ea17fbcd
-- param: from timestamp = now - 24h -- sessions that began since then
-- param: baseline timestamp = now - 6d -- devices used since then are known
-- expect: empty
SELECT n.user, n.device_id, n.device_name, n.os_type, min(n.start) AS first_seen
FROM openvpn AS n
SINCE $from
WHERE n.start >= $from
    AND n.device_id IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM openvpn AS k
        SINCE $baseline
        WHERE k.user = n.user AND k.device_id = n.device_id AND k.start < $from
    )
GROUP BY n.user, n.device_id, n.device_name, n.os_type
ORDER BY first_seen, n.device_id;
