-- on_error warn: one block reads and writes, and whatever fails in it is a lost event.
CREATE OR REPLACE FUNCTION vigie.rule_warn_sql(r vigie.rule, op text, mode text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format($sql$    BEGIN
%s%s
        PERFORM %s;
        %s
    EXCEPTION
%s        WHEN OTHERS OR assert_failure THEN
%s
    END;$sql$,
        CASE mode WHEN 'row' THEN vigie.rule_when_sql(r, op) ELSE '' END,
        vigie.rule_patience_sql(),
        CASE mode WHEN 'row' THEN format(vigie.rule_collect_sql(r, sources, condition), call)
                  ELSE vigie.rule_chunk_sql(r, sources, condition) END,
        vigie.rule_impatience_sql(),
        CASE mode WHEN 'row' THEN format($sql$        WHEN datatype_mismatch THEN
            BEGIN
%s
                EXECUTE %s USING NEW::text, OLD::text;
                %s
            EXCEPTION WHEN OTHERS OR assert_failure THEN
%s
            END;
$sql$,      vigie.rule_patience_sql(),
            vigie.rule_replan_sql(r, op, 'SELECT ' || call),
            vigie.rule_impatience_sql(),
            loss) ELSE '' END,
        loss)
      FROM (SELECT CASE mode WHEN 'row' THEN '(VALUES (true)) AS vigie_one' ELSE vigie.rule_sources(r, op) END AS sources,
                   CASE WHEN mode <> 'row' OR NOT r.early THEN vigie.rule_condition(r) END AS condition,
                   format('vigie.emit(%L, %L, array_agg(ROW(vigie_event.company, vigie_event.rooms, vigie_event.payload)::vigie.item))',
                          r.channel, r.event) AS call,
                   vigie.rule_loss_sql(r.event, CASE WHEN mode = 'row' THEN '1'
                       ELSE format('(SELECT count(*) FROM %s)', CASE op WHEN 'insert' THEN 'vigie_new' ELSE 'vigie_old' END) END) AS loss) AS part
$fn$;

COMMENT ON FUNCTION vigie.rule_warn_sql(vigie.rule, text, text) IS 'Statements of a generated function whose errors are counted';
REVOKE ALL ON FUNCTION vigie.rule_warn_sql(vigie.rule, text, text) FROM PUBLIC;
