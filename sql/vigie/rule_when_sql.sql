-- Row trigger: new, old and rec are PL/pgSQL records, and the condition is tested before any query.
CREATE OR REPLACE FUNCTION vigie.rule_when_sql(r vigie.rule, op text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format(E'        rec := %s;\n', CASE op WHEN 'delete' THEN 'OLD' ELSE 'NEW' END)
        || CASE WHEN op = 'insert' AND vigie.rule_mentions(r, 'old') THEN E'        SELECT NEW.* INTO OLD WHERE false;\n'
                WHEN op = 'delete' AND vigie.rule_mentions(r, 'new') THEN E'        SELECT OLD.* INTO NEW WHERE false;\n' ELSE '' END
        || CASE WHEN r.early AND condition IS NOT NULL THEN format(E'        IF (%s) IS NOT TRUE THEN\n            RETURN NULL;\n        END IF;\n', condition)
                ELSE '' END
      FROM (SELECT vigie.rule_condition(r) AS condition) AS c
$fn$;

COMMENT ON FUNCTION vigie.rule_when_sql(vigie.rule, text) IS 'Statements by which a generated row trigger decides whether there is an event';
REVOKE ALL ON FUNCTION vigie.rule_when_sql(vigie.rule, text) FROM PUBLIC;
