-- Who is connected at this moment, the longest first.
SELECT user, client_ip, start, duration
FROM openvpn
AT now
ORDER BY duration DESC;
