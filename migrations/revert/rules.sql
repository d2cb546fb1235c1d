-- Revert vigie:rules from pg
--
-- Published events stop it: unpublish them first, so that nothing is taken from dashboards unseen.
\set ON_ERROR_STOP on

BEGIN;

DO $$
DECLARE
    published text := (SELECT string_agg(event, ', ' ORDER BY event) FROM vigie.rule);
BEGIN
    IF published IS NOT NULL THEN
        RAISE EXCEPTION 'events are still published: %', published
            USING ERRCODE = 'dependent_objects_still_exist',
                  HINT = 'SELECT vigie.unpublish(event) FROM vigie.rule, then revert again.';
    END IF;
END $$;

SET LOCAL ROLE vigie_owner;

-- status() goes on working: the first version of rules_bad() takes over before the view goes.
SET LOCAL client_min_messages = warning;
\ir ../../sql/vigie/rules_bad.sql
DROP VIEW vigie.rules;
DROP FUNCTION vigie.allow_function(regprocedure, text);
DROP FUNCTION vigie.assert_ok(text);
DROP FUNCTION vigie.disallow_function(regprocedure);
DROP FUNCTION vigie.export();
DROP FUNCTION vigie.lookup(text, regclass, text, text);
DROP FUNCTION vigie.pause(text, text);
DROP FUNCTION vigie.preview(text, int);
DROP FUNCTION vigie.protect(text, text);
DROP FUNCTION vigie.publish(text, regclass, text, text, text, text, text, text, vigie.lookup[], text, text, text, text, boolean);
DROP FUNCTION vigie.resume(text);
DROP FUNCTION vigie.rule_alias_columns(text, text, regclass);
DROP FUNCTION vigie.rule_body(vigie.rule, text);
DROP FUNCTION vigie.rule_call(vigie.rule);
DROP FUNCTION vigie.rule_changes(regclass, text[], text);
DROP FUNCTION vigie.rule_channel(regclass);
DROP FUNCTION vigie.rule_check(vigie.rule);
DROP FUNCTION vigie.rule_check_aliases(vigie.lookup[]);
DROP FUNCTION vigie.rule_check_boolean(text, regclass);
DROP FUNCTION vigie.rule_check_event(text);
DROP FUNCTION vigie.rule_check_guard(vigie.rule, regclass);
DROP FUNCTION vigie.rule_compares(oid);
DROP FUNCTION vigie.rule_check_mode(regclass, text, text, text[]);
DROP FUNCTION vigie.rule_check_sensitive(text, text[]);
DROP FUNCTION vigie.rule_choice(text, text, text[]);
DROP FUNCTION vigie.rule_chunk_sql(vigie.rule, text, text);
DROP FUNCTION vigie.rule_collect_sql(vigie.rule, text, text);
DROP FUNCTION vigie.rule_column_expression(text);
DROP FUNCTION vigie.rule_column_trouble(vigie.rule);
DROP FUNCTION vigie.rule_columns(regclass[]);
DROP FUNCTION vigie.rule_company(regclass, text, text[]);
DROP FUNCTION vigie.rule_company_column(regclass);
DROP FUNCTION vigie.rule_composite_column(text);
DROP FUNCTION vigie.rule_condition(vigie.rule);
DROP FUNCTION vigie.rule_declare(text, regclass, text, text, text, text, text, text, vigie.lookup[], text, text, text, text);
DROP FUNCTION vigie.rule_describe(vigie.rule);
DROP FUNCTION vigie.rule_expression(text, text);
DROP FUNCTION vigie.rule_fields(regclass);
DROP FUNCTION vigie.rule_find(text);
DROP FUNCTION vigie.rule_fingerprint();
DROP FUNCTION vigie.rule_forbidden_node(text);
DROP FUNCTION vigie.rule_function(text, text);
DROP FUNCTION vigie.rule_function_refused(oid);
DROP FUNCTION vigie.rule_function_trouble(vigie.rule);
DROP FUNCTION vigie.rule_functions(text);
DROP FUNCTION vigie.rule_grant_usage(regclass);
DROP FUNCTION vigie.rule_impatience_sql();
DROP FUNCTION vigie.rule_inspect(text, text, regclass);
DROP FUNCTION vigie.rule_install(vigie.rule);
DROP FUNCTION vigie.rule_install_function(vigie.rule, text);
DROP FUNCTION vigie.rule_install_trigger(vigie.rule, text);
DROP FUNCTION vigie.rule_is_looked_up(text, text);
DROP FUNCTION vigie.rule_items(text, text);
DROP FUNCTION vigie.rule_lock();
DROP FUNCTION vigie.rule_lookup_binding(regclass, vigie.lookup[], text, text, text);
DROP FUNCTION vigie.rule_lookup_match(regclass, text, regclass);
DROP FUNCTION vigie.rule_lookup_sources(vigie.rule);
DROP FUNCTION vigie.rule_lookups(regclass, vigie.lookup[], text);
DROP FUNCTION vigie.rule_loss_sql(text, text);
DROP FUNCTION vigie.rule_mentions(vigie.rule, text);
DROP FUNCTION vigie.rule_mode(vigie.rule, text);
DROP FUNCTION vigie.rule_needs_row(regclass);
DROP FUNCTION vigie.rule_normalise(text);
DROP FUNCTION vigie.rule_notes(vigie.rule);
DROP FUNCTION vigie.rule_object_name(text, text);
DROP FUNCTION vigie.rule_ops(text);
DROP FUNCTION vigie.rule_patience_sql();
DROP FUNCTION vigie.rule_payload(text);
DROP FUNCTION vigie.rule_payload_query(vigie.rule);
DROP FUNCTION vigie.rule_preview(vigie.rule, int);
DROP FUNCTION vigie.rule_privilege_trouble(vigie.rule);
DROP FUNCTION vigie.rule_probe(text, text, text);
DROP FUNCTION vigie.rule_probe_from(vigie.rule);
DROP FUNCTION vigie.rule_probe_lookups(vigie.rule);
DROP FUNCTION vigie.rule_probe_rooms(vigie.rule);
DROP FUNCTION vigie.rule_protected(vigie.rule);
DROP FUNCTION vigie.rule_query(vigie.rule, text, text);
DROP FUNCTION vigie.rule_raise_sql(vigie.rule, text, text);
DROP FUNCTION vigie.rule_reads_lookup(vigie.rule, text);
DROP FUNCTION vigie.rule_refuse(text, text, text, text);
DROP FUNCTION vigie.rule_relation_name(regclass);
DROP FUNCTION vigie.rule_remove(text, regclass, text[]);
DROP FUNCTION vigie.rule_replan_sql(vigie.rule, text, text);
DROP FUNCTION vigie.rule_revoke_usage(regnamespace);
DROP FUNCTION vigie.rule_room_array(vigie.rule);
DROP FUNCTION vigie.rule_room_expression(text);
DROP FUNCTION vigie.rule_rooms(text);
DROP FUNCTION vigie.rule_sample(vigie.rule, int);
DROP FUNCTION vigie.rule_signature(oid);
DROP FUNCTION vigie.rule_source(regclass);
DROP FUNCTION vigie.rule_sources(vigie.rule, text);
DROP FUNCTION vigie.rule_state(vigie.rule, text);
DROP FUNCTION vigie.rule_store(vigie.rule);
DROP FUNCTION vigie.rule_sync_grants(regclass);
DROP FUNCTION vigie.rule_tree(regclass);
DROP FUNCTION vigie.rule_trigger_argument(vigie.rule);
DROP FUNCTION vigie.rule_trigger_is_right(vigie.rule, text);
DROP FUNCTION vigie.rule_trigger_name(text, text);
DROP FUNCTION vigie.rule_trigger_sql(vigie.rule, text);
DROP FUNCTION vigie.rule_trigger_trouble(vigie.rule, text);
DROP FUNCTION vigie.rule_typescript_type(text);
DROP FUNCTION vigie.rule_warn_sql(vigie.rule, text, text);
DROP FUNCTION vigie.rule_when_sql(vigie.rule, text);
DROP FUNCTION vigie.typescript();
DROP FUNCTION vigie.unprotect(text);
DROP FUNCTION vigie.unpublish(text);
DROP TABLE vigie.rule, vigie.rules_seen, vigie.sensitive, vigie.allowed_function;
DROP TYPE vigie.lookup;

COMMIT;
