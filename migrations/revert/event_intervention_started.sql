-- Revert vigie:event_intervention_started from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('intervention:started');

COMMIT;
