-- The writer's path. One insert, then the question whether somebody sleeps.
--
-- The bell: a bridge that goes to sleep holds the advisory lock (1449748329, 1) exclusively. Being
-- refused the shared lock therefore means that somebody has to be woken. Being granted it means
-- that every bridge is awake, and since the lock lives until this transaction ends, none can fall
-- asleep over what it has written. Nobody ever waits.
--
-- A bell is a risk at the end of the transaction, where no exception block of ours can help:
-- PREPARE TRANSACTION refuses it, a full queue fails the commit, and so may a lock_timeout of the
-- business. vigie.may_ring() knows; without a bell the bridge looks all the same, a little later.
--
-- May raise, as vigie.emit() may. Not SECURITY DEFINER: only vigie_owner may execute it, and its
-- callers are that already.
CREATE OR REPLACE FUNCTION vigie.append(channel text, event text, items vigie.item[]) RETURNS void
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
    gate vigie.gate;
    wrote bigint;
    accounted bigint;
    reason text;
    lost bigint;
BEGIN
    SELECT * INTO STRICT gate FROM vigie.gate g WHERE g.one;
    -- Neither is read under our snapshot, which may be of yesterday.
    IF pg_sequence_last_value('vigie.outbox_id') >= pg_sequence_last_value('vigie.outbox_limit') THEN
        PERFORM vigie.note_loss(event, 'outbox_quota_rows reached', cardinality(items));
        RETURN;
    END IF;

    -- A line break in a json value can only be blank space between tokens: text has it escaped.
    INSERT INTO vigie.outbox (slot, company, channel, event, rooms, payload)
    SELECT gate.outbox_slot, i.company, channel, event, i.rooms,
           CASE WHEN strpos(i.payload::text, E'\n') = 0 AND strpos(i.payload::text, E'\r') = 0
                THEN i.payload
                ELSE translate(i.payload::text, E'\n\r', '  ')::json END
      FROM unnest(items) AS i
     WHERE vigie.flaw(i.company, i.rooms, i.payload, gate.max_payload_bytes) IS NULL;
    GET DIAGNOSTICS wrote = ROW_COUNT;
    IF wrote < cardinality(items) THEN
        accounted := wrote;
        FOR reason, lost IN
            SELECT f.flaw, count(*)
              FROM unnest(items) AS i
             CROSS JOIN LATERAL vigie.flaw(i.company, i.rooms, i.payload, gate.max_payload_bytes)
                   AS f (flaw)
             WHERE f.flaw IS NOT NULL
             GROUP BY f.flaw
        LOOP
            PERFORM vigie.note_loss(event, reason, lost);
            accounted := accounted + lost;
        END LOOP;
        IF accounted < cardinality(items) THEN
            PERFORM vigie.note_loss(event, 'taken away by a rule or trigger on the outbox',
                                    cardinality(items) - accounted);
        END IF;
    END IF;

    IF wrote > 0 AND NOT pg_try_advisory_xact_lock_shared(1449748329, 1) THEN
        IF vigie.may_ring(gate.bell) AND octet_length(channel) BETWEEN 1 AND 63 THEN
            PERFORM pg_notify(channel, c.company)
               FROM (SELECT DISTINCT i.company FROM unnest(items) AS i
                      WHERE octet_length(i.company) BETWEEN 1 AND 64) AS c;
        END IF;
    END IF;
END $$;
REVOKE ALL ON FUNCTION vigie.append(text, text, vigie.item[]) FROM PUBLIC;
COMMENT ON FUNCTION vigie.append(text, text, vigie.item[]) IS
    'Writes events to the outbox and rings when a bridge sleeps; may raise, call vigie.emit()';
