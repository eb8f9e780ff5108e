SELECT * FROM openvpn SINCE 24h;
SELECT * FROM openvpn SINCE yesterday UNTIL today WHERE user = 'bob';
SELECT * FROM openvpn WHERE user = 'bob' SINCE today - 2h;
SELECT * FROM openvpn SINCE 7d WHERE a UNTIL now - 1h;
SELECT * FROM openvpn o UNTIL '2026-01-01';
SELECT * FROM openvpn AT '14:05';
SELECT * FROM openvpn WHERE start AT TIME ZONE 'UTC' > x AT now() - 1h ORDER BY user