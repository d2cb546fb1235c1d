-- Revert vigie:event_devis_created from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('devis:created');

COMMIT;
