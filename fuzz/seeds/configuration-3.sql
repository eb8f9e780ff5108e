SELECT v.user, v.start
FROM openvpn v LEFT JOIN people p ON p.login = v.user
AT now
WHERE p.login IS NULL
ORDER BY v.user
