-- Users with failed sessions in the last two days.
SELECT user, count(*) AS failures, max(start) AS last_failure
FROM openvpn
WHERE status = 'FAILED' AND start >= now() - 48h
GROUP BY user
ORDER BY failures DESC, user;
