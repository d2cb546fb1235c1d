-- Verify vigie:event_devis_created on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('devis:created');

ROLLBACK;
