-- Verify vigie:event_devis_rejected on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('devis:rejected');

ROLLBACK;
