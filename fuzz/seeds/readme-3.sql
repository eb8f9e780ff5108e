SELECT DISTINCT user FROM openvpn SINCE yesterday + 12h UNTIL yesterday + 18h ORDER BY user
