SELECT 1, 1.5, .5, 1., 1e3, 1.5E-3, 007;
SELECT 'it''s', E'a\tb\'c''d\x41\u00fc\\', $$it's$$, '';
SELECT NULL, true, FALSE;
SELECT 90s, 15m, 24h, 7d, 2w, 1h30m, 250ms, 1w2d3h4m5s6ms;
SELECT DATE '2026-01-01', TIMESTAMP '2026-01-01 10:00', TIME '10:00';
SELECT INTERVAL '1 month', INTERVAL '90' MINUTES AS ninety;
SELECT $user, $since;
SELECT [1, 2,], ARRAY[], ARRAY['a']