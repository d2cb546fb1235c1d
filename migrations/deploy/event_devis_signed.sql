-- Deploy vigie:event_devis_signed to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'devis:signed',
    source    => 'public.devis',
    ops       => 'update',
    changes   => 'status',
    condition => $$ new.status = 'signed' $$,
    lookups   => ARRAY[vigie.lookup('client', 'public.clients')],
    rooms     => 'company:{company_id}',
    payload   => $$ rec.id, client.name AS "clientName" $$,
    comment   => 'Un devis vient d''être signé');

COMMIT;
