-- Why an item cannot be an event, or NULL. One expression, and STABLE as array_to_string() is, so
-- that the planner inlines it: called as a function it would cost as much as all the rest.
CREATE OR REPLACE FUNCTION vigie.flaw(company text, rooms text[], payload json, max_bytes int)
RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT CASE
        WHEN company IS NULL OR company = '' THEN 'no company'
        WHEN octet_length(company) > 64 THEN 'company longer than 64 bytes'
        WHEN payload IS NULL THEN 'no payload'
        WHEN octet_length(payload::text) > max_bytes THEN 'payload above max_payload_bytes'
        WHEN coalesce(cardinality(rooms), 0) = 0 THEN 'no room'
        WHEN cardinality(rooms) > 16 THEN 'more than 16 rooms'
        WHEN array_position(rooms, NULL) IS NOT NULL OR '' = ANY (rooms) THEN 'empty room name'
        WHEN octet_length(array_to_string(rooms, '')) > 200 AND vigie.longest(rooms) > 200
            THEN 'room name longer than 200 bytes'
        WHEN (company || array_to_string(rooms, '')) ~ '[[:cntrl:]]'
            THEN 'control character in a company or room name'
    END
$$;
REVOKE ALL ON FUNCTION vigie.flaw(text, text[], json, int) FROM PUBLIC;
COMMENT ON FUNCTION vigie.flaw(text, text[], json, int) IS
    'Why an item cannot be an event, or NULL when it can';
