-- sessionql: 1
-- name: impossible travel
-- description: One user begins two sessions in places so far apart that nobody travels so fast.
--     The sources compare boxes of coordinates, or two logins in one store; this compares each session
--     with the one before it whose place is known, at all providers. An address without a place is
--     passed over and does not hide what lies on both sides of it. A user is one by name.
-- severity: high  owner: secops  tags: [vpn, sso, T1078]
-- source: Elastic bc9f5144-0ead-476e-ba6e-cef295601195, Panther Standard.ImpossibleTravel.Login
-- param: from timestamp = now - 24h -- sessions that began since then
-- param: before interval = 24h -- how long before that the other session may have begun
-- param: min_kmh float = 800 -- how fast is too fast, in km/h
-- param: min_km float = 500 -- how far is far, for databases place addresses roughly
-- param: known cidr[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'] -- networks that mean no place, such as the company's own exits
-- expect: empty
WITH placed AS (
    SELECT user, connection, id, client_ip, start, geoip(client_ip) AS place
    FROM sessions
    SINCE $from - $before
    WHERE start >= $from - $before AND NOT ip_in(client_ip, $known)
),
travelled AS (
    SELECT
        *,
        lag(connection) OVER journey AS last_connection,
        lag(client_ip) OVER journey AS last_ip,
        lag(start) OVER journey AS last_start,
        lag(place) OVER journey AS last_place,
        speed_kmh(place, start) OVER journey AS kmh
    FROM placed
    WHERE user IS NOT NULL
        AND (place).latitude IS NOT NULL
        AND (place).longitude IS NOT NULL
    WINDOW journey AS (PARTITION BY user ORDER BY start, connection, id)
)
SELECT
    user,
    last_connection,
    last_ip,
    last_start,
    (last_place).city AS last_city,
    (last_place).country AS last_country,
    connection,
    client_ip,
    start,
    (place).city AS city,
    (place).country AS country,
    round(geo_distance_km(last_place, place)) AS km,
    round(kmh) AS kmh
FROM travelled
WHERE start >= $from AND kmh >= $min_kmh AND geo_distance_km(last_place, place) >= $min_km
ORDER BY start, user, connection, id;
