-- Each element must be a plain column or be named by AS: a name that PostgreSQL would make up ("upper", "case")
-- becomes part of the contract with the dashboards by accident.
CREATE OR REPLACE FUNCTION vigie.rule_payload(payload text)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    ident CONSTANT text := '("[^"]+"|[[:alpha:]_][[:alnum:]_]*)';
    item text;
BEGIN
    IF coalesce(btrim(payload, E' \t\r\n'), '') = '' THEN
        PERFORM vigie.rule_refuse('22023', 'payload is empty', 'Publish at least the key: payload => ''rec.id''.');
    END IF;
    FOREACH item IN ARRAY vigie.rule_items('payload', payload) LOOP
        IF regexp_replace(item, '''[^'']*''|"[^"]*"', 'x', 'g') ~ '(^|\.)\s*\*' THEN
            PERFORM vigie.rule_refuse('42501', format('payload publishes all columns: %s', item),
                'Name the columns: an allow list keeps a column added tomorrow private.');
        ELSIF item !~ ('^(' || ident || '\s*\.\s*)?' || ident || '$') AND item !~* ('\mas\s+' || ident || '$') THEN
            PERFORM vigie.rule_refuse('42601', format('payload has an expression without a name: %s', item),
                'Write: expression AS "clientName".');
        END IF;
    END LOOP;
    RETURN btrim(payload, E' \t\r\n');
END
$fn$;

COMMENT ON FUNCTION vigie.rule_payload(text) IS 'The payload list of a rule, trimmed; refuses * and expressions without a name';
REVOKE ALL ON FUNCTION vigie.rule_payload(text) FROM PUBLIC;
