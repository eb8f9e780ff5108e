SELECT department, count(*) AS employed FROM people AT '2026-01-15' GROUP BY department ORDER BY department
