-- Counts an event that could not be published. Never raises and hardly waits: one insert into a
-- table without an index. When nobody compacts (the bridge is down) the rows stop at loss_limit
-- and only the sequence goes on counting; vigie.retain() books the difference.
-- In the worst case (our tables are gone, or locked by somebody) a WARNING is all that is left.
--
-- A transaction is warned once an event, or a bulk job would fill its client's memory with warnings;
-- and it waits once for a lock.
CREATE OR REPLACE FUNCTION vigie.note_loss(event text, reason text, lost bigint DEFAULT 1)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
#variable_conflict use_variable
DECLARE
    this_xact CONSTANT text := pg_current_xact_id()::text;
    warned CONSTANT text := concat_ws(' ', this_xact, event);
    this_id bigint;
BEGIN
    IF current_setting('vigie.warned', true) IS DISTINCT FROM warned THEN
        PERFORM vigie.warn(format('event %s lost (%s): %s', coalesce(event, '*'), lost, reason));
        PERFORM set_config('vigie.warned', warned, true);
    END IF;
    IF current_setting('vigie.uncounted', true) = this_xact THEN
        RETURN;
    END IF;
    BEGIN
        this_id := nextval('vigie.loss_id');
        INSERT INTO vigie.loss (id, event, reason, count)
        SELECT this_id, coalesce(event, '*'), left(coalesce(reason, 'unknown'), 200), lost
         WHERE this_id <= coalesce(pg_sequence_last_value('vigie.loss_limit'), 100000);
    EXCEPTION WHEN OTHERS THEN
        IF SQLSTATE = '55P03' THEN
            PERFORM set_config('vigie.uncounted', this_xact, true);
        END IF;
        PERFORM vigie.warn('a lost event could not be counted: ' || SQLERRM);
    END;
END $$;
REVOKE ALL ON FUNCTION vigie.note_loss(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION vigie.note_loss(text, text, bigint) IS
    'Counts events that could not be published, visible in vigie.lost; never fails';
