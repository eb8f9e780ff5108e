-- sessionql: 1
-- name: unusual volume
-- description: A VPN session carries far more data than the user's sessions did before.
--     The source scores the rows that a database returns, by deviations and by quantiles; this scores
--     the bytes of VPN sessions, by deviations alone, and needs a few sessions to compare with.
-- severity: medium  owner: secops  tags: [vpn, exfiltration, T1048]
-- source: Microsoft Sentinel 137tyi7c-7225-434b-8bfc-fea28v95ebd8
-- param: from timestamp = now - 24h -- sessions that began since then
-- param: baseline timestamp = now - 6d -- sessions that began since then are compared with
-- param: deviations float = 3.0 -- how many standard deviations above the mean are unusual
-- param: sample int = 5 -- how many sessions must be there to compare with
-- expect: empty
WITH usual AS (
    SELECT
        user,
        avg(bytes_in + bytes_out) AS mean,
        stddev(bytes_in + bytes_out) AS deviation
    FROM openvpn
    SINCE $baseline
    WHERE start >= $baseline AND start < $from AND status = 'COMPLETED'
    GROUP BY user
    HAVING count(bytes_in + bytes_out) >= $sample
)
SELECT
    s.user,
    s.start,
    s.bytes_in + s.bytes_out AS bytes,
    round(u.mean) AS usual_bytes,
    round((s.bytes_in + s.bytes_out - u.mean) / nullif(u.deviation, 0.0), 1) AS deviations
FROM openvpn AS s JOIN usual AS u ON u.user = s.user
SINCE $from
WHERE s.start >= $from AND s.bytes_in + s.bytes_out > u.mean + $deviations * u.deviation
ORDER BY deviations DESC, s.start;
