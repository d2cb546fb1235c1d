-- Deploy vigie:event_facture_created to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'facture:created',
    source    => 'public.factures',
    ops       => 'insert',
    lookups   => ARRAY[vigie.lookup('client', 'public.clients')],
    rooms     => 'company:{company_id}',
    payload   => $$ rec.id, client.name AS "clientName", rec.amount $$,
    comment   => 'Une facture vient d''être créée');

COMMIT;
