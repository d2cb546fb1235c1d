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
COMMENT ON COLUMN vigie.rules.event IS 'Name that clients see';
COMMENT ON COLUMN vigie.rules.source IS 'Table';
COMMENT ON COLUMN vigie.rules.op IS 'insert, update or delete';
COMMENT ON COLUMN vigie.rules.channel IS 'NOTIFY channel of the table';
COMMENT ON COLUMN vigie.rules.company IS 'Where the company is read';
COMMENT ON COLUMN vigie.rules.rooms IS 'Room templates';
COMMENT ON COLUMN vigie.rules.condition IS 'When, as declared';
COMMENT ON COLUMN vigie.rules.changes IS 'Columns of which one must really have changed';
COMMENT ON COLUMN vigie.rules.fields IS 'Names and types of the payload';
COMMENT ON COLUMN vigie.rules.functions IS 'Registered functions that it calls';
COMMENT ON COLUMN vigie.rules.guard IS 'body, or when: the condition stands in the trigger';
COMMENT ON COLUMN vigie.rules.on_error IS 'warn or raise';
COMMENT ON COLUMN vigie.rules.comment IS 'For people';
COMMENT ON COLUMN vigie.rules.paused IS 'Why it is paused';
COMMENT ON COLUMN vigie.rules.updated_at IS 'Last change of the rule';
COMMENT ON COLUMN vigie.rules.updated_by IS 'Who made it';
REVOKE ALL ON vigie.rules FROM PUBLIC;
