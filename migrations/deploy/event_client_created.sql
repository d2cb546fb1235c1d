-- Deploy vigie:event_client_created to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'client:created',
    source    => 'public.clients',
    ops       => 'insert',
    rooms     => 'company:{company_id}',
    payload   => $$ rec.id, rec.name, rec.type $$,
    comment   => 'Un client vient d''être ajouté');

COMMIT;
