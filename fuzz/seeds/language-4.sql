WITH busy AS (
    SELECT user, count(*) AS sessions FROM openvpn SINCE 6d GROUP BY user
)
SELECT b.user, b.sessions, v.start AS newest
FROM busy b JOIN openvpn v ON v.user = b.user
QUALIFY row_number() OVER (PARTITION BY b.user ORDER BY v.start DESC) = 1
ORDER BY b.sessions DESC, b.user
LIMIT 5
