-- Inserts and deletes: one look at a transition table is three times cheaper on bulk. Updates: always a row trigger,
-- whose condition is tested before any query. A join of the two transition tables is planned once per session,
-- for the first statement's size, and then costs rows x rows on a bulk update.
CREATE OR REPLACE FUNCTION vigie.rule_mode(r vigie.rule, op text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE WHEN op = 'update' OR r.mode = 'row' OR r.guard = 'when' OR vigie.rule_needs_row(r.source::regclass)
                THEN 'row' ELSE 'statement' END
$fn$;

COMMENT ON FUNCTION vigie.rule_mode(vigie.rule, text) IS 'Kind of trigger of a rule for an operation: row or statement';
REVOKE ALL ON FUNCTION vigie.rule_mode(vigie.rule, text) FROM PUBLIC;
