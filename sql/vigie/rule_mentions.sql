-- Generous on purpose: a mention in a literal only costs a join with nothing.
CREATE OR REPLACE FUNCTION vigie.rule_mentions(r vigie.rule, name text)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT concat_ws(' ', r.payload, r.condition, r.lookups::text, r.rooms::text, r.company) ~* ('\m' || name || '\s*\.')
        OR r.rooms::text LIKE '%{' || name || '.%'
$fn$;

COMMENT ON FUNCTION vigie.rule_mentions(vigie.rule, text) IS 'Whether a rule may read new or old';
REVOKE ALL ON FUNCTION vigie.rule_mentions(vigie.rule, text) FROM PUBLIC;
