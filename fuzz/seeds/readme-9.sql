SELECT DISTINCT v.user
FROM openvpn v JOIN oam o ON o.user = v.user
WHERE v.status = 'ACTIVE' AND v.start >= now() - 24h
ORDER BY v.user
