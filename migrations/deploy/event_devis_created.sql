-- Deploy vigie:event_devis_created to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'devis:created',
    source    => 'public.devis',
    ops       => 'insert',
    lookups   => ARRAY[vigie.lookup('client', 'public.clients')],
    rooms     => 'company:{company_id}',
    payload   => $$ rec.id, client.name AS "clientName", rec.amount $$,
    comment   => 'Un devis vient d''être créé');

COMMIT;
