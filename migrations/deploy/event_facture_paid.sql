-- Deploy vigie:event_facture_paid to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'facture:paid',
    source    => 'public.factures',
    ops       => 'update',
    changes   => 'status',
    condition => $$ new.status = 'paid' $$,
    lookups   => ARRAY[vigie.lookup('client', 'public.clients')],
    rooms     => 'company:{company_id}',
    payload   => $$ rec.id, client.name AS "clientName", rec.amount $$,
    comment   => 'Une facture vient d''être payée');

COMMIT;
