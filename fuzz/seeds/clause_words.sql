SELECT user, startnvpn AS o;
SELECT limit, offset, since, window, group, order FROM t;
SELECT da interval, castT.C , tfrom, t.select FROMatus FROM o WHERE end IS NULL;
SELECT "User", "a""b", o."end" FROM openvpn AS o;
SELECT limit, offset, since, offseT now