SELECT user, client_ip, duration FROM openvpn AT now ORDER BY duration DESC
