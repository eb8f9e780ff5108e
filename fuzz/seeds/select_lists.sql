SELECT * FROM t;
SELECT t.*, s.t.* FROM t;
SELECT * EXCEPT (raw, id) FROM t;
SELECT * EXCLUDE (raw), 1 FROM t;
SELECT DISTINCT * FROM t;
SELECT DISTINCT ON (user, client_ip) user FROM t;
SELECT ALL user FROM t;
SELECT a x, b AS y, c "z", FROM t