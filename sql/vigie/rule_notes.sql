CREATE OR REPLACE FUNCTION vigie.rule_notes(r vigie.rule)
RETURNS TABLE(step text, detail text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT 'note', format('lookup %s is not bound to the company: %s has no company column', l->>'alias', l->>'source')
      FROM jsonb_array_elements(r.lookups) AS l
     WHERE l->>'binding' IS NULL AND r.company NOT LIKE (l->>'alias') || '.%'
    UNION ALL
    SELECT 'note', format('paused: %s', r.paused) WHERE r.paused IS NOT NULL
$fn$;

COMMENT ON FUNCTION vigie.rule_notes(vigie.rule) IS 'What the DBA should know of a rule that is not a refusal';
REVOKE ALL ON FUNCTION vigie.rule_notes(vigie.rule) FROM PUBLIC;
