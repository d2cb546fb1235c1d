-- pg_depend does not record the functions of pg_catalog, hence the tree. Of pg_catalog a rule may call what is
-- immutable, what implements an operator or a cast, and the list below: nothing that writes, waits, reads files,
-- settings or tables, or runs a query. Anything else is the DBA's own function, registered with a reason.
CREATE OR REPLACE FUNCTION vigie.rule_function_refused(func oid)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT CASE
             WHEN p.provolatile = 'v' THEN 'is volatile'
             WHEN p.prokind <> 'f' THEN 'is not a plain function'
             WHEN p.pronamespace <> 'pg_catalog'::regnamespace THEN
                 CASE WHEN NOT EXISTS (SELECT FROM vigie.allowed_function a WHERE a.signature = vigie.rule_signature(p.oid))
                      THEN 'is not registered' END
             WHEN p.provolatile = 'i'
               OR EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid)
               OR EXISTS (SELECT FROM pg_cast c WHERE c.castfunc = p.oid)
               OR p.proname = ANY (ARRAY['age', 'array_to_json', 'array_to_string', 'concat', 'concat_ws', 'date_bin', 'date_part',
                      'date_trunc', 'extract', 'format', 'json_build_array', 'json_build_object', 'json_object', 'jsonb_build_array',
                      'jsonb_build_object', 'jsonb_object', 'make_timestamptz', 'now', 'quote_literal', 'quote_nullable',
                      'statement_timestamp', 'timezone', 'to_char', 'to_date', 'to_json', 'to_jsonb', 'to_number', 'to_timestamp',
                      'transaction_timestamp']) THEN NULL
             ELSE 'reads more than its arguments'
           END
      FROM pg_proc p
     WHERE p.oid = func
$fn$;

COMMENT ON FUNCTION vigie.rule_function_refused(oid) IS 'Why a rule may not call a function; NULL when it may';
REVOKE ALL ON FUNCTION vigie.rule_function_refused(oid) FROM PUBLIC;
