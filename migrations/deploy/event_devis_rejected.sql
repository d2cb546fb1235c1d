-- Deploy vigie:event_devis_rejected to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'devis:rejected',
    source    => 'public.devis',
    ops       => 'update',
    changes   => 'status',
    condition => $$ new.status = 'rejected' $$,
    lookups   => ARRAY[vigie.lookup('client', 'public.clients')],
    rooms     => 'company:{company_id}',
    payload   => $$ rec.id, client.name AS "clientName", rec.reason $$,
    comment   => 'Un devis vient d''être refusé');

COMMIT;
