CREATE OR REPLACE FUNCTION vigie.protect(pattern text, reason text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '3s'
AS $fn$
DECLARE
    hits text;
BEGIN
    IF coalesce(btrim(reason), '') = '' OR coalesce(pattern, '') = '' THEN
        PERFORM vigie.rule_refuse('22023', 'a protection needs a pattern and a reason', 'vigie.protect(''[.]clients[.]email$'', ''personal data'').');
    END IF;
    PERFORM vigie.rule_lock();
    SELECT string_agg(format('%s publishes %s', r.event, path), E'\n' ORDER BY r.event, path) INTO hits
      FROM vigie.rule r CROSS JOIN LATERAL unnest(r.publishes) AS path
     WHERE vigie.rule_normalise(path) ~ pattern;
    IF hits IS NOT NULL THEN
        PERFORM vigie.rule_refuse('55000', format('pattern %L matches columns that are published', pattern),
            'Change these rules first, or vigie.unpublish() them.', hits);
    END IF;
    INSERT INTO vigie.sensitive AS s (pattern, reason) VALUES (protect.pattern, protect.reason)
        ON CONFLICT ON CONSTRAINT sensitive_pkey DO UPDATE SET reason = excluded.reason, created_at = now(), created_by = session_user;
END
$fn$;

COMMENT ON FUNCTION vigie.protect(text, text) IS
    'No rule may publish a column whose schema.table.column, in snake_case words, matches the pattern; refused when one does';
REVOKE ALL ON FUNCTION vigie.protect(text, text) FROM PUBLIC;
