-- From now on triggers need not ring: somebody looks by itself.
-- psql -f wake.sql
SELECT vigie.wake();
