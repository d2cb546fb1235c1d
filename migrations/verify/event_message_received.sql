-- Verify vigie:event_message_received on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('message:received');

ROLLBACK;
