-- Revert vigie:event_message_received from pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.unpublish('message:received');

COMMIT;
