SELECT user, start FROM openvpn WHERE status = 'ACTIVE'
