SELECT user, count(DISTINCT client_ip) AS addresses
FROM openvpn
SINCE 6d
GROUP BY user
HAVING addresses > 1
ORDER BY addresses DESC, user
LIMIT 5
