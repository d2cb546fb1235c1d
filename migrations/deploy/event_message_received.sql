-- Deploy vigie:event_message_received to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'message:received',
    source    => 'public.messages',
    ops       => 'insert',
    condition => $$ new.sender = 'client' $$,
    lookups   => ARRAY[vigie.lookup('client', 'public.clients')],
    rooms     => 'company:{company_id}, conversation:{conversation_id}',
    payload   => $$ rec.id, rec.conversation_id AS "conversationId", client.name AS "clientName" $$,
    comment   => 'Un client a écrit ; jamais le texte');

COMMIT;
