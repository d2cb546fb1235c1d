-- Revert vigie:event_client_created from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('client:created');

COMMIT;
