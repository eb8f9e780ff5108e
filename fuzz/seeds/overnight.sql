-- Sessions that were open at midnight and lasted more than two hours.
SELECT user, start, end, duration
FROM openvpn
AT today
WHERE duration > 2h
ORDER BY duration DESC;
