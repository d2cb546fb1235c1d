-- Every catalogue row that the state of a rule depends on, by its version: whatever changes one of them changes this.
-- PL/pgSQL, so that a session plans it once. What it leaves out (rights that a role inherits) vigie.rules_bad() sees within the hour.
CREATE OR REPLACE FUNCTION vigie.rule_fingerprint()
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $fn$
BEGIN
    RETURN (
    WITH used AS MATERIALIZED (
        SELECT to_regclass(r.source) AS oid FROM vigie.rule r
        UNION
        SELECT to_regclass(l->>'source') FROM vigie.rule r CROSS JOIN LATERAL jsonb_array_elements(r.lookups) AS l
    ), fires AS MATERIALIZED (
        SELECT t.xmin, t.ctid, t.tgfoid FROM used u JOIN pg_trigger t ON t.tgrelid = u.oid
    )
    SELECT md5((SELECT concat(o.rolsuper, o.rolbypassrls) FROM pg_roles o WHERE o.rolname = 'vigie_owner')
               || string_agg(concat(v.what, v.xmin, v.ctid), ' ' ORDER BY v.what, v.ctid))
      FROM (SELECT 'rule' AS what, xmin, ctid FROM vigie.rule
            UNION ALL SELECT 'sensitive', xmin, ctid FROM vigie.sensitive
            UNION ALL SELECT 'allowed_function', xmin, ctid FROM vigie.allowed_function
            UNION ALL SELECT 'trigger', xmin, ctid FROM fires
            UNION ALL SELECT 'generated', p.xmin, p.ctid FROM fires f JOIN pg_proc p ON p.oid = f.tgfoid
            UNION ALL SELECT 'generator', p.xmin, p.ctid FROM pg_proc p
                       WHERE p.proname LIKE 'rule\_%' AND p.pronamespace = 'vigie'::regnamespace
            UNION ALL SELECT 'function', p.xmin, p.ctid FROM vigie.allowed_function a JOIN pg_proc p ON p.oid = to_regprocedure(a.signature)
            UNION ALL SELECT 'table', c.xmin, c.ctid FROM used u JOIN pg_class c ON c.oid = u.oid
            UNION ALL SELECT 'column', a.xmin, a.ctid FROM used u JOIN pg_attribute a ON a.attrelid = u.oid AND a.attnum > 0
            UNION ALL SELECT 'child', i.xmin, i.ctid FROM used u JOIN pg_inherits i ON i.inhparent = u.oid
            UNION ALL SELECT 'schema', n.xmin, n.ctid FROM pg_namespace n
            UNION ALL SELECT 'member', m.xmin, m.ctid FROM pg_auth_members m WHERE m.member = 'vigie_owner'::regrole) AS v);
END
$fn$;

COMMENT ON FUNCTION vigie.rule_fingerprint() IS 'Changes when anything changes that the state of a rule depends on';
REVOKE ALL ON FUNCTION vigie.rule_fingerprint() FROM PUBLIC;
