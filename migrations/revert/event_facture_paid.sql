-- Revert vigie:event_facture_paid from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('facture:paid');

COMMIT;
