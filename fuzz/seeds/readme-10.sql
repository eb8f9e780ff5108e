DESCRIBE openvpn
