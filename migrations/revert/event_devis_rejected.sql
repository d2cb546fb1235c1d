-- Revert vigie:event_devis_rejected from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('devis:rejected');

COMMIT;
