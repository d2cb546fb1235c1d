CREATE OR REPLACE FUNCTION vigie.rule_check_mode(source regclass, mode text, guard text, ops text[])
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
BEGIN
    IF mode <> 'statement' THEN
        RETURN;
    ELSIF 'update' = ANY (ops) THEN
        PERFORM vigie.rule_refuse('0A000', 'mode statement is not for updates',
            'Leave mode => ''auto'': updates get a row trigger, which costs less and also sees a changed key.');
    ELSIF guard = 'when' THEN
        PERFORM vigie.rule_refuse('0A000', 'guard when needs a row trigger', 'Leave mode => ''auto'' or guard => ''body''.');
    ELSIF vigie.rule_needs_row(source) THEN
        PERFORM vigie.rule_refuse('0A000',
            format('%s is partitioned or inherited: statement triggers miss rows written into a child', vigie.rule_relation_name(source)),
            'Leave mode => ''auto''.');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check_mode(regclass, text, text, text[]) IS 'Refuses mode => statement where it would lose events or cost too much';
REVOKE ALL ON FUNCTION vigie.rule_check_mode(regclass, text, text, text[]) FROM PUBLIC;
