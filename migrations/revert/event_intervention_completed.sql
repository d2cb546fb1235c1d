-- Revert vigie:event_intervention_completed from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('intervention:completed');

COMMIT;
