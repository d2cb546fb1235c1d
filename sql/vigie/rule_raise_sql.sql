-- on_error raise: reading is the rule's part and may fail the write, so it names nothing of ours; writing is our part,
-- and its failures are counted.
CREATE OR REPLACE FUNCTION vigie.rule_raise_sql(r vigie.rule, op text, mode text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
    SELECT format($sql$    BEGIN
%s
        SELECT %s;
%s    END;
    BEGIN
%s
        PERFORM vigie.emit(%L, %L,
            (SELECT array_agg(ROW(i.company, i.rooms::text[], i.payload)::vigie.item)
               FROM unnest(vigie_found.companies, vigie_found.rooms, vigie_found.payloads) AS i(company, rooms, payload)));
        %s
    EXCEPTION WHEN OTHERS OR assert_failure THEN
%s
    END;$sql$,
        CASE mode WHEN 'row' THEN vigie.rule_when_sql(r, op) ELSE '' END,
        format(vigie.rule_collect_sql(r, sources, condition), targets || ' INTO vigie_found'),
        CASE mode WHEN 'row' THEN format($sql$    EXCEPTION WHEN datatype_mismatch THEN
        EXECUTE %s INTO vigie_found USING NEW::text, OLD::text;
$sql$,      vigie.rule_replan_sql(r, op, 'SELECT ' || targets)) ELSE '' END,
        vigie.rule_patience_sql(),
        r.channel, r.event,
        vigie.rule_impatience_sql(),
        vigie.rule_loss_sql(r.event, 'coalesce(cardinality(vigie_found.payloads), 0)'))
      FROM (SELECT CASE mode WHEN 'row' THEN '(VALUES (true)) AS vigie_one' ELSE vigie.rule_sources(r, op) END AS sources,
                   CASE WHEN mode <> 'row' OR NOT r.early THEN vigie.rule_condition(r) END AS condition,
                   'array_agg(vigie_event.company) AS companies, array_agg(vigie_event.rooms::text) AS rooms, array_agg(vigie_event.payload) AS payloads' AS targets) AS part
$fn$;

COMMENT ON FUNCTION vigie.rule_raise_sql(vigie.rule, text, text) IS 'Statements of a generated function whose own errors fail the business write';
REVOKE ALL ON FUNCTION vigie.rule_raise_sql(vigie.rule, text, text) FROM PUBLIC;
