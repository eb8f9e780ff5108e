SELECT user, CASE WHEN end IS NULL THEN 'open' ELSE 'closed' END AS state
FROM openvpn SINCE 24h
ORDER BY user LIMIT 5
