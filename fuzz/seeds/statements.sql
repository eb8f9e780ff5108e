;
 ;; -- nothing;
select 1; select 2;;
SELECT 1 -- last one without;
EXPLAIN SELECT 1;
explain analyze (select 1);
DESCRIBE openvpn.sessions;
desc openvpn;
SHOW CONNECTIONS; show plugins; show tables; show functions; show parameters; show time_zone;
SET time_zone = 'Europe/Berlin'; set since = 24h; set pushdown to off