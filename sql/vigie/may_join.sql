-- Asked for rooms that the token alone does not open. The DBA replaces it, for instance:
--
--   CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean
--   LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
--       SELECT room LIKE 'conversation:%' AND EXISTS (
--           SELECT FROM public.conversation_member m
--            WHERE m.company_id::text = claims->>'company' AND m.user_id::text = claims->>'user'
--              AND 'conversation:' || m.conversation_id = room)
--   $$;
--   GRANT SELECT (company_id, user_id, conversation_id) ON public.conversation_member TO vigie_owner;
CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT false
$$;
REVOKE ALL ON FUNCTION vigie.may_join(jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION vigie.may_join(jsonb, text) TO vigie_bridge;
COMMENT ON FUNCTION vigie.may_join(jsonb, text) IS
    'Whether the holder of these claims (company, user, role) may join a room; replace it by your own';
