-- A pattern is written once for snake_case and camelCase: companyId and company_id are the same words.
CREATE OR REPLACE FUNCTION vigie.rule_normalise(name text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT lower(regexp_replace(regexp_replace(name, '([a-z0-9])([A-Z])', '\1_\2', 'g'),
                                '([A-Z]+)([A-Z][a-z])', '\1_\2', 'g'))
$fn$;

COMMENT ON FUNCTION vigie.rule_normalise(text) IS 'Column name as words: companyId -> company_id, clientIBAN -> client_iban';
REVOKE ALL ON FUNCTION vigie.rule_normalise(text) FROM PUBLIC;
