SELECT connection, user, start FROM sessions AT now ORDER BY start DESC LIMIT 5
