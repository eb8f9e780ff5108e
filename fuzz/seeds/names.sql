SELECT user, start, end, status FROM openvpn WHERE end IS NULL;
SELECT "User", "a""b", o."end" FROM openvpn AS o;
SELECT limit, offset, since, window, group, order FROM t;
SELECT date, time, interval, cast, exists, array, any, distinct FROM t;
SELECT distinct, all FROM t;
SELECT t.from, t.select FROM t;
SELECT now, today FROM vpn_eu.sessions today;
SELECT größe AS "Größe" FROM t;
SELECT a AS at FROM t AT now