-- One more session that stays open, as the deployer: \ir helper/second.sql after helper/rules.sql
RESET SESSION AUTHORIZATION;
SELECT dblink_connect('second', format('host=%s port=%s dbname=%s user=deployer', split_part(current_setting('unix_socket_directories'), ',', 1),
                                       current_setting('port'), current_database())) \g /dev/null
CREATE FUNCTION t.second(VARIADIC statements text[]) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        PERFORM public.dblink_exec('second', statement);
    END LOOP;
END $$;
CREATE FUNCTION t.second_close() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM public.dblink_disconnect('second');
END $$;
SET SESSION AUTHORIZATION deployer;
