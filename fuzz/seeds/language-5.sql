SELECT user, duration, round(duration / 1h, 1) AS hours
FROM openvpn
WHERE start >= now() - 48h AND duration BETWEEN 1h AND 8h
ORDER BY duration DESC
LIMIT 5
