-- What the DBA of sql/demo/prisma.sql would write. Run after migrations/deploy/rules.sql, as the owner of the tables.
\set ON_ERROR_STOP on

BEGIN;

SELECT vigie.protect('^prisma[.]client[.]internal_notes$', 'internal');
SELECT vigie.protect('^prisma[.]message[.]body$', 'correspondence');
SELECT vigie.protect('^prisma[.]devis[.]margin_pct$', 'business secret');

SELECT * FROM vigie.publish(
    event     => 'quote:created',
    source    => 'prisma."Devis"',
    ops       => 'insert',
    lookups   => ARRAY[vigie.lookup('client', 'prisma."Client"')],
    rooms     => 'company:{companyId}',
    payload   => $$ rec.id, client."displayName" AS "clientName", rec."totalTtc" AS amount $$,
    comment   => 'A quote was written');

SELECT * FROM vigie.publish(
    event     => 'quote:signed',
    source    => 'prisma."Devis"',
    ops       => 'update',
    changes   => 'status',
    condition => $$ new.status = 'SIGNED' $$,
    lookups   => ARRAY[vigie.lookup('client', 'prisma."Client"')],
    rooms     => 'company:{companyId}, client:{clientId}',
    payload   => $$ rec.id, client."displayName" AS "clientName" $$,
    comment   => 'A quote was signed');

SELECT * FROM vigie.publish(
    event     => 'invoice:paid',
    source    => 'prisma."Invoice"',
    ops       => 'update',
    changes   => 'status',
    condition => $$ new.status = 'PAID' $$,
    lookups   => ARRAY[vigie.lookup('client', 'prisma."Client"')],
    rooms     => 'company:{companyId}',
    payload   => $$ rec.id, client."displayName" AS "clientName", rec."totalTtc" AS amount $$,
    comment   => 'An invoice was paid');

SELECT * FROM vigie.publish(
    event     => 'visit:started',
    source    => 'prisma."Intervention"',
    ops       => 'update',
    changes   => 'status',
    condition => $$ new.status = 'STARTED' $$,
    lookups   => ARRAY[vigie.lookup('assignee', 'prisma."User"')],
    rooms     => 'company:{companyId}, user:{assigneeId}',
    payload   => $$ rec.id, rec.address, assignee."displayName" AS assignee $$,
    comment   => 'A technician has arrived');

SELECT * FROM vigie.publish(
    event     => 'customer:created',
    source    => 'prisma."Client"',
    ops       => 'insert',
    rooms     => 'company:{companyId}',
    payload   => $$ rec.id, rec."displayName" AS name, lower(rec.type::text) AS type $$,
    comment   => 'A client was added');

-- The table has no company of its own: it is the conversation's, and the client is bound to that one.
SELECT * FROM vigie.publish(
    event     => 'message:arrived',
    source    => 'prisma."Message"',
    ops       => 'insert',
    condition => $$ new."fromClient" $$,
    company   => 'conversation.companyId',
    lookups   => ARRAY[
        vigie.lookup('client', 'prisma."Client"', $$ client.id = conversation."clientId" $$),
        vigie.lookup('conversation', 'prisma."Conversation"')],
    rooms     => 'company:{conversation.companyId}, conversation:{conversationId}',
    payload   => $$ rec.id, rec."conversationId", client."displayName" AS "clientName" $$,
    comment   => 'A client has written; never the text');

COMMIT;
