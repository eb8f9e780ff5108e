SELECT a.user, a.end AS left_at, b.start - a.end AS pause
FROM openvpn a JOIN openvpn b ON b.user = a.user AND b.start > a.end AND b.start < a.end + 15m
SINCE 6d
ORDER BY pause
LIMIT 5
