-- Deploy vigie:event_intervention_completed to pg
-- requires: rules
\set ON_ERROR_STOP on

BEGIN;

SELECT * FROM vigie.publish(
    event     => 'intervention:completed',
    source    => 'public.interventions',
    ops       => 'update',
    changes   => 'status',
    condition => $$ new.status = 'completed' $$,
    rooms     => 'company:{company_id}, user:{assignee_id}',
    payload   => $$ rec.id, rec.address, rec.duration $$,
    comment   => 'Une intervention est terminée ; durée en minutes');

COMMIT;
