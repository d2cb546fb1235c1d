-- Revert vigie:event_facture_created from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('facture:created');

COMMIT;
