-- Counts an event that could not be published. Never raises, never waits: one insert into a table
-- without an index. When nobody compacts (the bridge is down) the rows stop at gate.loss_limit and
-- only the sequence goes on counting; vigie.retain() books the difference.
-- In the worst case (our tables are gone) a WARNING is all that is left.
CREATE OR REPLACE FUNCTION vigie.note_loss(event text, reason text, lost bigint DEFAULT 1)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    this_id bigint;
BEGIN
    RAISE WARNING 'vigie: event % lost (%): %', coalesce(event, '*'), lost, reason;
    this_id := nextval('vigie.loss_id');
    INSERT INTO vigie.loss (id, event, reason, count)
    SELECT this_id, coalesce(event, '*'), left(coalesce(reason, 'unknown'), 200), lost
      FROM vigie.gate g
     WHERE g.one AND this_id <= g.loss_limit;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'vigie: a lost event could not be counted: %', SQLERRM;
END $$;
REVOKE ALL ON FUNCTION vigie.note_loss(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION vigie.note_loss(text, text, bigint) IS
    'Counts events that could not be published, visible in vigie.lost; never fails';
