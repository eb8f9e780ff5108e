SELECT f(), now(), s.f(1, 2,), f(a => 1, b => 'x');
SELECT count(*), count(DISTINCT user), count(distinct), sum(ALL x);
SELECT array_agg(user ORDER BY start DESC NULLS LAST, end);
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration);
SELECT count(*) FILTER (WHERE status = 'ACTIVE') AS active;
SELECT lag(user) IGNORE NULLS OVER (PARTITION BY a, b ORDER BY c);
SELECT sum(x) OVER w, sum(x) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t WINDOW w AS (ORDER BY y), v AS ();
SELECT sum(x) OVER (ORDER BY start RANGE BETWEEN UNBOUNDED PRECEDING AND 1h FOLLOWING), sum(y) OVER (GROUPS 2 PRECEDING);
SELECT extract(epoch FROM duration), extract('day' from start);
SELECT substring(a FROM 2 FOR 3), substring(a from 2), substring(a FOR 3), substring(a, 2);
SELECT trim(a), trim(BOTH FROM a), trim(leading 'x' from a), trim('x' FROM a);
SELECT EXISTS (SELECT 1), a = ANY (SELECT 1), a > ALL ($list), a = some((SELECT 1))