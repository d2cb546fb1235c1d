-- Verify vigie:event_facture_paid on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('facture:paid');

ROLLBACK;
