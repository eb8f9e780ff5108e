SELECT w.ticket, v.user, v.start, v.client_ip
FROM openvpn v JOIN watchlist w ON w.login = v.user
SINCE 6d
ORDER BY v.start DESC
LIMIT 5
