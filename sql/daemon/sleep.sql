-- From now on triggers ring: asleep, other or busy.
-- psql -f sleep.sql
SELECT vigie.sleep();
