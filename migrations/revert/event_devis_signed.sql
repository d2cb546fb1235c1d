-- Revert vigie:event_devis_signed from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('devis:signed');

COMMIT;
