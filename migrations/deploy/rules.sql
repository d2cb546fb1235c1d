-- Deploy vigie:rules to pg
-- requires: log
--
-- The declared events: vigie.publish() and what is around it. docs/dba.md tells how to use it.
\set ON_ERROR_STOP on

BEGIN;

SET LOCAL ROLE vigie_owner;

CREATE TYPE vigie.lookup AS (alias text, source text, match text, company text);
COMMENT ON TYPE vigie.lookup IS 'A table joined to a rule; made by vigie.lookup()';

CREATE TABLE vigie.rule (
    event text PRIMARY KEY,
    channel text NOT NULL,
    source text NOT NULL,
    ops text[] NOT NULL,
    company text NOT NULL,
    rooms text[] NOT NULL,
    payload text NOT NULL,
    condition text,
    changes text[],
    lookups jsonb NOT NULL,
    mode text NOT NULL,
    guard text NOT NULL,
    on_error text NOT NULL,
    comment text,
    fields jsonb NOT NULL,
    publishes text[] NOT NULL,
    reads text[] NOT NULL,
    types jsonb NOT NULL,
    functions text[] NOT NULL,
    early boolean NOT NULL,
    paused text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE vigie.rule IS 'The declared events; written by vigie.publish(), read it through vigie.rules';
COMMENT ON COLUMN vigie.rule.event IS 'Name that clients see';
COMMENT ON COLUMN vigie.rule.channel IS 'NOTIFY channel, from the name of the table';
COMMENT ON COLUMN vigie.rule.source IS 'Table, quoted and schema-qualified';
COMMENT ON COLUMN vigie.rule.ops IS 'insert, update, delete';
COMMENT ON COLUMN vigie.rule.company IS 'Where the company is read: column of rec, or alias.column';
COMMENT ON COLUMN vigie.rule.rooms IS 'Room templates';
COMMENT ON COLUMN vigie.rule.payload IS 'SELECT list, as written';
COMMENT ON COLUMN vigie.rule.condition IS 'When, as written';
COMMENT ON COLUMN vigie.rule.changes IS 'Columns of which one must really have changed';
COMMENT ON COLUMN vigie.rule.lookups IS 'Joined tables: alias, source, match, binding to the company, columns read';
COMMENT ON COLUMN vigie.rule.mode IS 'auto, row or statement, as declared';
COMMENT ON COLUMN vigie.rule.guard IS 'body, or when: the condition stands in the trigger';
COMMENT ON COLUMN vigie.rule.on_error IS 'warn: a failing rule is counted; raise: it fails the business write';
COMMENT ON COLUMN vigie.rule.comment IS 'For people';
COMMENT ON COLUMN vigie.rule.fields IS 'Names and types of the payload, in order';
COMMENT ON COLUMN vigie.rule.publishes IS 'schema.table.column whose values leave the database';
COMMENT ON COLUMN vigie.rule.reads IS 'schema.table.column that only decide';
COMMENT ON COLUMN vigie.rule.types IS 'Type of each of these columns when the rule was published';
COMMENT ON COLUMN vigie.rule.functions IS 'Registered functions that the rule calls';
COMMENT ON COLUMN vigie.rule.early IS 'Whether the condition can be tested before the lookups';
COMMENT ON COLUMN vigie.rule.paused IS 'Why the event is paused, or NULL';
COMMENT ON COLUMN vigie.rule.updated_at IS 'Last change';
COMMENT ON COLUMN vigie.rule.updated_by IS 'Role that logged in and made it';

CREATE TABLE vigie.sensitive (
    pattern text PRIMARY KEY,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE vigie.sensitive IS 'Columns that no rule may publish; written by vigie.protect()';
COMMENT ON COLUMN vigie.sensitive.pattern IS 'Regular expression on schema.table.column in snake_case words';
COMMENT ON COLUMN vigie.sensitive.reason IS 'Shown in refusals';
COMMENT ON COLUMN vigie.sensitive.created_at IS 'When it was protected';
COMMENT ON COLUMN vigie.sensitive.created_by IS 'Role that logged in and protected it';

CREATE TABLE vigie.allowed_function (
    signature text PRIMARY KEY,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE vigie.allowed_function IS 'Functions outside pg_catalog that rules may call; written by vigie.allow_function()';
COMMENT ON COLUMN vigie.allowed_function.signature IS 'schema.name(types)';
COMMENT ON COLUMN vigie.allowed_function.reason IS 'What rules need it for';
COMMENT ON COLUMN vigie.allowed_function.created_at IS 'When it was registered';
COMMENT ON COLUMN vigie.allowed_function.created_by IS 'Role that logged in and registered it';

CREATE TABLE vigie.rules_seen (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    fingerprint text NOT NULL DEFAULT '',
    bad int NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
COMMENT ON TABLE vigie.rules_seen IS 'One row: what vigie.rules_bad() found when it last looked';
COMMENT ON COLUMN vigie.rules_seen.one IS 'Always true: one row';
COMMENT ON COLUMN vigie.rules_seen.fingerprint IS 'vigie.rule_fingerprint() then';
COMMENT ON COLUMN vigie.rules_seen.bad IS 'Number of rules that did not work as declared';
COMMENT ON COLUMN vigie.rules_seen.at IS 'When';
INSERT INTO vigie.rules_seen DEFAULT VALUES;

-- Words between separators of the normalised name: pan must not match company_id.
INSERT INTO vigie.sensitive (pattern, reason) VALUES
    ('[._](password|passwd|pwd|mdp|mot_de_passe|secret|token|api_key|private_key|hash|salt|otp)(_|$)', 'secret'),
    ('[._](iban|bic|rib|card_number|pan|cvv|cvc)(_|$)', 'bank data'),
    ('[._](nir|secu|securite_sociale|ssn)(_|$)', 'national identifier'),
    ('[._](e_?mail|courriel|phone|telephone|mobile|birth_?date|date_naissance)(_|$)', 'personal data');

-- The functions call each other in any order.
SET LOCAL check_function_bodies = off;
\ir ../../sql/vigie/allow_function.sql
\ir ../../sql/vigie/assert_ok.sql
\ir ../../sql/vigie/disallow_function.sql
\ir ../../sql/vigie/export.sql
\ir ../../sql/vigie/lookup.sql
\ir ../../sql/vigie/pause.sql
\ir ../../sql/vigie/preview.sql
\ir ../../sql/vigie/protect.sql
\ir ../../sql/vigie/publish.sql
\ir ../../sql/vigie/resume.sql
\ir ../../sql/vigie/rule_alias_columns.sql
\ir ../../sql/vigie/rule_body.sql
\ir ../../sql/vigie/rule_call.sql
\ir ../../sql/vigie/rule_changes.sql
\ir ../../sql/vigie/rule_channel.sql
\ir ../../sql/vigie/rule_check.sql
\ir ../../sql/vigie/rule_check_aliases.sql
\ir ../../sql/vigie/rule_check_boolean.sql
\ir ../../sql/vigie/rule_check_event.sql
\ir ../../sql/vigie/rule_compares.sql
\ir ../../sql/vigie/rule_check_guard.sql
\ir ../../sql/vigie/rule_check_mode.sql
\ir ../../sql/vigie/rule_check_row_security.sql
\ir ../../sql/vigie/rule_check_sensitive.sql
\ir ../../sql/vigie/rule_choice.sql
\ir ../../sql/vigie/rule_chunk_sql.sql
\ir ../../sql/vigie/rule_collect_sql.sql
\ir ../../sql/vigie/rule_column_expression.sql
\ir ../../sql/vigie/rule_column_trouble.sql
\ir ../../sql/vigie/rule_columns.sql
\ir ../../sql/vigie/rule_company.sql
\ir ../../sql/vigie/rule_company_column.sql
\ir ../../sql/vigie/rule_composite_column.sql
\ir ../../sql/vigie/rule_condition.sql
\ir ../../sql/vigie/rule_declare.sql
\ir ../../sql/vigie/rule_describe.sql
\ir ../../sql/vigie/rule_expression.sql
\ir ../../sql/vigie/rule_fields.sql
\ir ../../sql/vigie/rule_filtered_lookup.sql
\ir ../../sql/vigie/rule_find.sql
\ir ../../sql/vigie/rule_forbidden_node.sql
\ir ../../sql/vigie/rule_fingerprint.sql
\ir ../../sql/vigie/rule_function.sql
\ir ../../sql/vigie/rule_function_refused.sql
\ir ../../sql/vigie/rule_function_trouble.sql
\ir ../../sql/vigie/rule_functions.sql
\ir ../../sql/vigie/rule_grant_usage.sql
\ir ../../sql/vigie/rule_inspect.sql
\ir ../../sql/vigie/rule_install.sql
\ir ../../sql/vigie/rule_install_function.sql
\ir ../../sql/vigie/rule_install_trigger.sql
\ir ../../sql/vigie/rule_impatience_sql.sql
\ir ../../sql/vigie/rule_is_looked_up.sql
\ir ../../sql/vigie/rule_items.sql
\ir ../../sql/vigie/rule_lock.sql
\ir ../../sql/vigie/rule_lookup_binding.sql
\ir ../../sql/vigie/rule_lookup_match.sql
\ir ../../sql/vigie/rule_lookup_sources.sql
\ir ../../sql/vigie/rule_lookups.sql
\ir ../../sql/vigie/rule_loss_sql.sql
\ir ../../sql/vigie/rule_mentions.sql
\ir ../../sql/vigie/rule_mode.sql
\ir ../../sql/vigie/rule_needs_row.sql
\ir ../../sql/vigie/rule_never_null.sql
\ir ../../sql/vigie/rule_normalise.sql
\ir ../../sql/vigie/rule_notes.sql
\ir ../../sql/vigie/rule_object_name.sql
\ir ../../sql/vigie/rule_ops.sql
\ir ../../sql/vigie/rule_patience_sql.sql
\ir ../../sql/vigie/rule_payload.sql
\ir ../../sql/vigie/rule_payload_query.sql
\ir ../../sql/vigie/rule_preview.sql
\ir ../../sql/vigie/rule_privilege_trouble.sql
\ir ../../sql/vigie/rule_probe.sql
\ir ../../sql/vigie/rule_probe_from.sql
\ir ../../sql/vigie/rule_probe_lookups.sql
\ir ../../sql/vigie/rule_probe_rooms.sql
\ir ../../sql/vigie/rule_protected.sql
\ir ../../sql/vigie/rule_query.sql
\ir ../../sql/vigie/rule_raise_sql.sql
\ir ../../sql/vigie/rule_reads_lookup.sql
\ir ../../sql/vigie/rule_refuse.sql
\ir ../../sql/vigie/rule_relation_name.sql
\ir ../../sql/vigie/rule_remove.sql
\ir ../../sql/vigie/rule_replan_sql.sql
\ir ../../sql/vigie/rule_revoke_usage.sql
\ir ../../sql/vigie/rule_room_array.sql
\ir ../../sql/vigie/rule_room_expression.sql
\ir ../../sql/vigie/rule_rooms.sql
\ir ../../sql/vigie/rule_sample.sql
\ir ../../sql/vigie/rule_settings.sql
\ir ../../sql/vigie/rule_signature.sql
\ir ../../sql/vigie/rule_source.sql
\ir ../../sql/vigie/rule_sources.sql
\ir ../../sql/vigie/rule_state.sql
\ir ../../sql/vigie/rule_store.sql
\ir ../../sql/vigie/rule_sync_grants.sql
\ir ../../sql/vigie/rule_tree.sql
\ir ../../sql/vigie/rule_trigger_argument.sql
\ir ../../sql/vigie/rule_trigger_is_right.sql
\ir ../../sql/vigie/rule_trigger_name.sql
\ir ../../sql/vigie/rule_trigger_sql.sql
\ir ../../sql/vigie/rule_trigger_trouble.sql
\ir ../../sql/vigie/rule_typescript_type.sql
\ir ../../sql/vigie/rule_warn_sql.sql
\ir ../../sql/vigie/rule_when_sql.sql
\ir ../../sql/vigie/typescript.sql
\ir ../../sql/vigie/unprotect.sql
\ir ../../sql/vigie/unpublish.sql
\ir ../../sql/vigie/rules.sql
\ir ../../sql/vigie/rule_bad.sql

COMMIT;
