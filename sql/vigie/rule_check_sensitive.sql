CREATE OR REPLACE FUNCTION vigie.rule_check_sensitive(event text, publishes text[])
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    hits text;
BEGIN
    SELECT string_agg(format('%s (%s)', path, s.reason), ', ' ORDER BY path) INTO hits
      FROM unnest(publishes) AS path
      JOIN vigie.sensitive s ON vigie.rule_normalise(path) ~ s.pattern;
    IF hits IS NOT NULL THEN
        PERFORM vigie.rule_refuse('42501', format('rule %s would publish protected columns: %s', event, hits),
            'Leave them out. Patterns are in vigie.sensitive; vigie.unprotect(pattern) takes one away.');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check_sensitive(text, text[]) IS 'Refuses a rule that would publish a protected column, inside an expression or a room name too';
REVOKE ALL ON FUNCTION vigie.rule_check_sensitive(text, text[]) FROM PUBLIC;
