-- Verify vigie:event_facture_created on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('facture:created');

ROLLBACK;
