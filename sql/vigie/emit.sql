-- The door for the generated triggers. Raises when something of ours is broken: each generated
-- function calls it inside an exception block and counts what could not be written.
--
-- That block takes a subtransaction id whenever it writes. Going without one once a transaction has
-- written was tried, and is not safe: its locks keep the outbox in place, but neither privileges nor
-- functions, nor the one row of vigie.gate, nor room on the disk.
CREATE OR REPLACE FUNCTION vigie.emit(channel text, event text, items vigie.item[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF cardinality(items) > 0 THEN
        PERFORM vigie.append(channel, event, items);
    END IF;
END $$;
REVOKE ALL ON FUNCTION vigie.emit(text, text, vigie.item[]) FROM PUBLIC;
COMMENT ON FUNCTION vigie.emit(text, text, vigie.item[]) IS
    'Publishes events of one channel; called by the generated triggers only, which catch what it raises';
