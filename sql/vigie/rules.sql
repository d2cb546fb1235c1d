CREATE OR REPLACE VIEW vigie.rules AS
SELECT r.event, r.source, op, r.channel, vigie.rule_state(r, op) AS state, r.company, r.rooms, r.condition, r.changes,
       ARRAY(SELECT concat_ws(' ', f->>'name', f->>'type') FROM jsonb_array_elements(r.fields) AS f) AS fields,
       r.publishes, r.reads, r.functions, r.guard, r.on_error, r.comment, r.paused, r.updated_at, r.updated_by
  FROM vigie.rule r
 CROSS JOIN LATERAL unnest(r.ops) AS op;

COMMENT ON VIEW vigie.rules IS 'One line per event and operation: what is published, what is read, and whether the database still does it';
COMMENT ON COLUMN vigie.rules.state IS 'ok, paused, or what is wrong';
COMMENT ON COLUMN vigie.rules.publishes IS 'Columns whose value leaves the database, in the payload or a room name';
COMMENT ON COLUMN vigie.rules.reads IS 'Columns that only decide: conditions and joins';
REVOKE ALL ON vigie.rules FROM PUBLIC;
