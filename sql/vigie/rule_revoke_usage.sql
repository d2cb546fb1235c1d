-- The counterpart of rule_grant_usage(): only where nothing of ours needs the schema any more.
CREATE OR REPLACE FUNCTION vigie.rule_revoke_usage(place regnamespace)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $fn$
BEGIN
    IF EXISTS (SELECT FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) AS g
                WHERE n.oid = place AND g.grantee = 'vigie_owner'::regrole AND n.nspowner <> g.grantee)
       AND NOT EXISTS (SELECT FROM vigie.allowed_function a JOIN pg_proc p ON p.oid = to_regprocedure(a.signature) WHERE p.pronamespace = place)
       AND NOT EXISTS (SELECT FROM vigie.rule r CROSS JOIN LATERAL (SELECT to_regclass(r.source) UNION SELECT * FROM vigie.rule_lookup_sources(r)) AS u(oid)
                         JOIN pg_class c ON c.oid = u.oid WHERE c.relnamespace = place)
    THEN
        EXECUTE format('REVOKE USAGE ON SCHEMA %s FROM vigie_owner', place);
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_revoke_usage(regnamespace) IS 'Takes USAGE on a schema back from vigie_owner when no rule and no registered function needs it';
REVOKE ALL ON FUNCTION vigie.rule_revoke_usage(regnamespace) FROM PUBLIC;
