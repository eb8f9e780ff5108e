EXPLAIN SELECT user, start FROM openvpn
WHERE status = 'ACTIVE' AND duration > 8h
ORDER BY start
LIMIT 10
