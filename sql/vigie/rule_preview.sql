-- Runs as the caller: who may not read the table sees no sample of it.
CREATE OR REPLACE FUNCTION vigie.rule_preview(r vigie.rule, max_rows int)
RETURNS TABLE(matches boolean, company text, rooms text[], payload json, bytes int)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
BEGIN
    FOR matches, company, rooms, payload, bytes IN EXECUTE format(
        E'SELECT s.matches, s.company, s.rooms, s.payload, octet_length(s.payload::text)\n  FROM (%s) AS s',
        replace(vigie.rule_query(r, vigie.rule_sample(r, max_rows), NULL),
                             E' AS company,\n', format(E' AS company, coalesce((%s), false) AS matches,\n', coalesce(r.condition, 'true')))) LOOP
        RETURN NEXT;
    END LOOP;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_preview(vigie.rule, int) IS 'What the last rows of the table would send under a rule, and whether they meet its condition';
REVOKE ALL ON FUNCTION vigie.rule_preview(vigie.rule, int) FROM PUBLIC;
