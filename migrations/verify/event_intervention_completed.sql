-- Verify vigie:event_intervention_completed on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('intervention:completed');

ROLLBACK;
