CREATE OR REPLACE FUNCTION vigie.rule_check_row_security(r vigie.rule)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    filtered CONSTANT text := vigie.rule_filtered_lookup(r);
BEGIN
    IF filtered IS NOT NULL THEN
        PERFORM vigie.rule_refuse('42501', format('rule %s: looked-up table %s has row-level security that applies to vigie_owner', r.event, filtered),
            'A superuser can run ALTER ROLE vigie_owner BYPASSRLS (its column privileges stay); or keep the columns in the table that publishes, or look them up in one without policies.',
            'The trigger would run the policies of that table as vigie_owner; it fails instead, and its events would be lost.');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check_row_security(vigie.rule) IS 'Refuses a rule that looks up a table whose policies would run as vigie_owner';
REVOKE ALL ON FUNCTION vigie.rule_check_row_security(vigie.rule) FROM PUBLIC;
