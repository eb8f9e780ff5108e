SELECT user FROM openvpn SINCE 1d WHERE status = {s:text}
