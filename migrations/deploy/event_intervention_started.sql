-- Deploy vigie:event_intervention_started to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'intervention:started',
    source    => 'public.interventions',
    ops       => 'update',
    changes   => 'status',
    condition => $$ new.status = 'started' $$,
    lookups   => ARRAY[vigie.lookup('assignee', 'public.users')],
    rooms     => 'company:{company_id}, user:{assignee_id}',
    payload   => $$ rec.id, rec.address, assignee.name AS assignee $$,
    comment   => 'Une intervention commence');

COMMIT;
