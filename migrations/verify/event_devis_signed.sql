-- Verify vigie:event_devis_signed on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('devis:signed');

ROLLBACK;
