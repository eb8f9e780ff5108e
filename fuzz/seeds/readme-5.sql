SELECT user, count(*) AS sessions, sum(bytes_in + bytes_out) AS bytes
FROM openvpn
SINCE 6d
GROUP BY user
ORDER BY bytes DESC
LIMIT 10
