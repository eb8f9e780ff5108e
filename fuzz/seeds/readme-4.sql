SELECT user, start, duration FROM openvpn WHERE start >= now() - 24h AND duration > 2h
