SELECT count(*) AS sessions, count(DISTINCT user) AS users FROM openvpn AT today + 1m
