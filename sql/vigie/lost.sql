CREATE OR REPLACE VIEW vigie.lost AS
SELECT t.event, t.reason, sum(t.count)::bigint AS count, max(t.at) AS last_at
  FROM (SELECT l.event, l.reason, l.count, l.at FROM vigie.loss l
        UNION ALL
        SELECT s.event, s.reason, s.count, s.last_at FROM vigie.loss_total s) t
 GROUP BY t.event, t.reason;
COMMENT ON VIEW vigie.lost IS 'Events that could not be published, by event and reason';
COMMENT ON COLUMN vigie.lost.event IS 'Name of the event, or * when it was not noted';
COMMENT ON COLUMN vigie.lost.reason IS 'Why';
COMMENT ON COLUMN vigie.lost.count IS 'How many';
COMMENT ON COLUMN vigie.lost.last_at IS 'When the last one was lost';
