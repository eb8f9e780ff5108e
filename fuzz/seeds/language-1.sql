SELECT user, start, raw FROM openvpn WHERE status = 'FAILED' AND start >= now() - 48h LIMIT 3
