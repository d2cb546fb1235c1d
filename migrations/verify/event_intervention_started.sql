-- Verify vigie:event_intervention_started on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('intervention:started');

ROLLBACK;
