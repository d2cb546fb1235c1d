-- Every setting that the functions of the log cannot do without is checked here, so that they may
-- cast without looking.
CREATE OR REPLACE FUNCTION vigie.config_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    low bigint;
    high bigint;
    waiting_from bigint;
BEGIN
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NEW.name <> OLD.name THEN
        RAISE EXCEPTION 'setting % cannot be removed', OLD.name
            USING ERRCODE = 'restrict_violation';
    END IF;

    SELECT l, h INTO low, high
      FROM (VALUES ('schema_version', 1, 1000000),
                   ('max_payload_bytes', 2, 65536),
                   ('outbox_quota_rows', 0, 1000000000),
                   ('retention_hours', 1, 8760),
                   ('feed_max_bytes', 1048576, 1000000000000000),
                   ('advance_batch', 1, 1000000)) AS bound (name, l, h)
     WHERE bound.name = NEW.name;
    IF FOUND AND (NEW.value !~ '^\d{1,15}$' OR NEW.value::bigint NOT BETWEEN low AND high) THEN
        RAISE EXCEPTION 'setting % is a whole number from % to %, not %',
            NEW.name, low, high, quote_literal(NEW.value)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NEW.name = 'bell' AND NEW.value NOT IN ('auto', 'on', 'off') THEN
        RAISE EXCEPTION 'setting bell is auto, on or off, not %', quote_literal(NEW.value)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    CASE NEW.name
        WHEN 'max_payload_bytes' THEN
            UPDATE vigie.gate SET max_payload_bytes = NEW.value::int;
        WHEN 'bell' THEN
            UPDATE vigie.gate SET bell = NEW.value;
        WHEN 'outbox_quota_rows' THEN
            -- A change keeps what is waiting: the limit moves by the difference of the quotas.
            -- At once, not at commit; if this is rolled back, vigie.retain() puts it right.
            SELECT CASE WHEN TG_OP = 'UPDATE' AND l.is_called
                        THEN l.last_value - OLD.value::bigint
                        ELSE s.last_value END
              INTO waiting_from
              FROM vigie.outbox_limit l, vigie.outbox_id s;
            PERFORM setval('vigie.outbox_limit', greatest(waiting_from + NEW.value::bigint, 0));
        ELSE NULL;
    END CASE;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION vigie.config_check() FROM PUBLIC;
COMMENT ON FUNCTION vigie.config_check() IS
    'Trigger of vigie.config: refuses values out of range, refreshes what writers read';
