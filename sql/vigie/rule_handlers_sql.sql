CREATE OR REPLACE FUNCTION vigie.rule_handlers_sql(r vigie.rule, op text, mode text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT coalesce(E'    EXCEPTION\n' || nullif(concat(
        CASE WHEN mode = 'row' THEN format($sql$        WHEN datatype_mismatch THEN
            BEGIN
                %s
%s            END;
$sql$,      vigie.rule_replan_sql(r, op),
            CASE r.on_error WHEN 'warn' THEN format(E'            EXCEPTION WHEN OTHERS THEN\n            %s\n', vigie.rule_loss_sql(r.event, l.lost)) ELSE '' END) END,
        CASE r.on_error WHEN 'warn' THEN format(E'        WHEN OTHERS THEN\n            %s\n', vigie.rule_loss_sql(r.event, l.lost)) END), ''), '')
      FROM (SELECT CASE WHEN mode = 'row' THEN '1'
                        ELSE format('(SELECT count(*) FROM %s)', CASE op WHEN 'insert' THEN 'vigie_new' ELSE 'vigie_old' END) END AS lost) AS l
$fn$;

COMMENT ON FUNCTION vigie.rule_handlers_sql(vigie.rule, text, text) IS
    'Exception handlers of a generated function: plan afresh, then count the loss; on_error raise keeps the error';
REVOKE ALL ON FUNCTION vigie.rule_handlers_sql(vigie.rule, text, text) FROM PUBLIC;
