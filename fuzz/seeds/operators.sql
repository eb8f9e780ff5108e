SELECT 1 + 2 * 3 - 4 / 5 % 6;
SELECT (1 + 2) * 3;
SELECT 'a' || b || 'c';
SELECT -a::int, - -1, +1, -a.b[1];
SELECT a OR b AND c AND NOT d OR e;
SELECT a = 1 AND b <> 2 AND c != 3 OR d <= 4 AND e >= 5 AND f < 6 AND g > 7;
SELECT NOT a = b IS NULL;
SELECT a + 1 BETWEEN b AND c + 1 AND d NOT BETWEEN SYMMETRIC 2 AND 1;
SELECT a IN (1, 2,), a NOT IN ('x'), (a, b) IN ((1, 2), (3, 4)), a IN (SELECT 1);
SELECT a LIKE 'x%' ESCAPE '!', a NOT ILIKE 'y', a SIMILAR TO 'z' || b;
SELECT a ~ 'x', a ~* 'x', a !~ 'x', a !~* 'x';
SELECT a IS NULL, a IS NOT NULL, a IS TRUE, a IS NOT FALSE, a IS UNKNOWN;
SELECT a IS DISTINCT FROM b + 1, a IS NOT DISTINCT FROM NULL;
SELECT start AT TIME ZONE 'Europe/Berlin' + 1h;
SELECT a OVERLAPS b, (s1, e1) OVERLAPS (s2, e2), a CONTAINS now() - 1h;
SELECT a::text::varchar(10), b::int[], CAST(c AS double precision), TRY_CAST(d AS timestamp with time zone);
SELECT a[1], a[1:2], a[:2], a[1:], a[b[1]][2], (r).x.y