-- Verify vigie:event_client_created on pg
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.assert_ok('client:created');

ROLLBACK;
