CREATE OR REPLACE FUNCTION vigie.export()
RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT line
      FROM (SELECT 1 AS part, s.pattern AS name, format('SELECT vigie.protect(%L, %L);', s.pattern, s.reason) AS line FROM vigie.sensitive s
            UNION ALL
            SELECT 2, a.signature, format('SELECT vigie.allow_function(%L, %L);', a.signature, a.reason) FROM vigie.allowed_function a
            UNION ALL
            SELECT 3, r.event, vigie.rule_call(r) FROM vigie.rule r
            UNION ALL
            SELECT 4, r.event, format('SELECT vigie.pause(%L, %L);', r.event, r.paused) FROM vigie.rule r WHERE r.paused IS NOT NULL) AS script
     ORDER BY part, name
$fn$;

COMMENT ON FUNCTION vigie.export() IS 'A script that declares all protections, registered functions and rules again: for git, or another database';
REVOKE ALL ON FUNCTION vigie.export() FROM PUBLIC;
