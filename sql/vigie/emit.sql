-- The only door for triggers. Never raises but on cancel: what cannot be written is counted.
--
-- Everything that can fail is inside an exception block, which costs a subtransaction id. A bulk
-- job with row triggers would take thousands and spoil every snapshot of the cluster, so only the
-- first call in a transaction pays: once it has written, the locks that it holds until commit keep
-- sequence and partition in place, and later calls go straight through. `vigie.guarded` remembers
-- the transaction; a rollback to a savepoint takes back the locks and the memory together.
CREATE OR REPLACE FUNCTION vigie.emit(channel text, event text, items vigie.item[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    this_xact text;
BEGIN
    IF coalesce(cardinality(items), 0) = 0 THEN
        RETURN;
    END IF;
    this_xact := pg_current_xact_id()::text;
    IF current_setting('vigie.guarded', true) = this_xact THEN
        PERFORM vigie.append(channel, event, items);
        RETURN;
    END IF;
    BEGIN
        PERFORM vigie.append(channel, event, items);
        PERFORM set_config('vigie.guarded', this_xact, true);
    EXCEPTION WHEN OTHERS THEN
        DECLARE
            reason text := SQLSTATE || ' ' || SQLERRM;
        BEGIN
            PERFORM vigie.note_loss(event, reason, cardinality(items));
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'vigie: event % lost (%) and not counted: %, %', event,
                cardinality(items), reason, SQLERRM;
        END;
    END;
END $$;
REVOKE ALL ON FUNCTION vigie.emit(text, text, vigie.item[]) FROM PUBLIC;
COMMENT ON FUNCTION vigie.emit(text, text, vigie.item[]) IS
    'Publishes events of one channel; called by the generated triggers only; never raises';
