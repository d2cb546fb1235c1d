CREATE OR REPLACE FUNCTION vigie.rule_check_aliases(lookups vigie.lookup[])
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $fn$
DECLARE
    bad text;
BEGIN
    SELECT l.alias INTO bad FROM unnest(lookups) l
     WHERE l.alias IS NULL OR l.alias !~ '^[a-z_][a-z0-9_]{0,62}$' OR l.alias IN ('new', 'old', 'rec') OR l.alias LIKE 'vigie%';
    IF FOUND THEN
        PERFORM vigie.rule_refuse('42602', format('lookup alias %L is not usable', bad),
            'A lower-case name that is not new, old or rec and does not begin with vigie: client, author.');
    END IF;
    SELECT l.alias INTO bad FROM unnest(lookups) l GROUP BY l.alias HAVING count(*) > 1;
    IF FOUND THEN
        PERFORM vigie.rule_refuse('42712', format('two lookups are called %s', bad), 'Give each lookup its own alias.');
    END IF;
    SELECT l.alias INTO bad FROM unnest(lookups) l WHERE to_regclass(l.source) IS NULL;
    IF FOUND THEN
        PERFORM vigie.rule_refuse('42P01', format('lookup %s: its table does not exist', bad), 'Build lookups by vigie.lookup(alias, table).');
    END IF;
END
$fn$;

COMMENT ON FUNCTION vigie.rule_check_aliases(vigie.lookup[]) IS 'Refuses lookups whose alias cannot be used or whose table does not exist';
REVOKE ALL ON FUNCTION vigie.rule_check_aliases(vigie.lookup[]) FROM PUBLIC;
