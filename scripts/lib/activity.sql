-- A bounded stream of business writes, as the services of companies 1 and 2 would commit them.
--
--   psql -v seconds=60 -f activity.sql
--
-- Each write is a transaction of its own. What an action needs and does not find, it creates.
\set ON_ERROR_STOP on
SET client_connection_check_interval = '1s';
SET application_name = 'demo activity';
SELECT set_config('demo.seconds', :'seconds', false) AS seconds \gset

DO $$
DECLARE
    ending timestamptz := clock_timestamp() + current_setting('demo.seconds')::float8 * interval '1 second';
    firsts text[] := ARRAY['Marie', 'Paul', 'Chloé', 'Hugo', 'Fatou', 'Louis', 'Manon', 'Yanis', 'Jeanne', 'Amir'];
    names text[] := ARRAY['Dupont', 'Bernard', 'Petit', 'Nguyen', 'Leroy', 'Moreau', 'Fournier', 'Mercier', 'Blanc', 'Guérin'];
    places text[] := ARRAY['Les Tilleuls', 'Bellevue', 'Saint-Michel', 'Le Parc', 'Victor Hugo', 'Les Quais'];
    streets text[] := ARRAY['rue des Lilas', 'avenue Jean-Jaurès', 'place du Marché', 'quai de la Loire', 'chemin Vert'];
    towns text[] := ARRAY['44000 Nantes', '58000 Nevers'];
    reasons text[] := ARRAY['Trop cher', 'Délai trop long', 'Travaux reportés', 'Un autre artisan a été choisi'];
    company integer;
    chosen integer;
    kind text;
    dice float8;
BEGIN
    WHILE clock_timestamp() < ending LOOP
        company := CASE WHEN random() < 0.6 THEN 1 ELSE 2 END;
        dice := random();
        SELECT id INTO chosen FROM public.clients WHERE company_id = company ORDER BY random() LIMIT 1;

        CASE
        WHEN dice < 0.08 THEN
            kind := (ARRAY['particulier', 'particulier', 'professionnel', 'syndic'])[1 + floor(random() * 4)::int];
            INSERT INTO public.clients (company_id, name, type, email)
            VALUES (company,
                    CASE kind WHEN 'syndic' THEN 'Syndic ' || places[1 + floor(random() * 6)::int]
                              WHEN 'professionnel' THEN 'Boulangerie ' || names[1 + floor(random() * 10)::int]
                              ELSE firsts[1 + floor(random() * 10)::int] || ' ' || names[1 + floor(random() * 10)::int] END,
                    kind, 'nouveau@bait.example');
        WHEN dice < 0.26 THEN
            INSERT INTO public.devis (company_id, client_id, number, status, amount, margin)
            VALUES (company, chosen, 'D-' || upper(left(md5(clock_timestamp()::text || random()), 8)), 'sent',
                    round((120 + random() ^ 2 * 6800)::numeric, 2), 18);
        WHEN dice < 0.40 THEN
            UPDATE public.devis SET status = 'signed', updated_at = now()
             WHERE id = (SELECT id FROM public.devis WHERE company_id = company AND status = 'sent' ORDER BY random() LIMIT 1);
        WHEN dice < 0.46 THEN
            UPDATE public.devis SET status = 'rejected', updated_at = now(), reason = reasons[1 + floor(random() * 4)::int]
             WHERE id = (SELECT id FROM public.devis WHERE company_id = company AND status = 'sent' ORDER BY random() LIMIT 1);
        WHEN dice < 0.56 THEN
            INSERT INTO public.factures (company_id, client_id, devis_id, number, status, amount)
            SELECT d.company_id, d.client_id, d.id, 'F-' || upper(left(md5(clock_timestamp()::text || random()), 8)), 'sent', d.amount
              FROM public.devis d WHERE d.company_id = company AND d.status = 'signed' ORDER BY random() LIMIT 1;
        WHEN dice < 0.68 THEN
            UPDATE public.factures SET status = 'paid', paid_at = now(), updated_at = now()
             WHERE id = (SELECT id FROM public.factures WHERE company_id = company AND status IN ('sent', 'overdue') ORDER BY random() LIMIT 1);
        WHEN dice < 0.77 THEN
            UPDATE public.interventions SET status = 'started', started_at = now(), updated_at = now()
             WHERE id = (SELECT id FROM public.interventions WHERE company_id = company AND status = 'planned' ORDER BY random() LIMIT 1);
            IF NOT FOUND THEN
                INSERT INTO public.interventions (company_id, client_id, assignee_id, address, door_code)
                SELECT company, chosen, u.id,
                       format('%s %s, %s', 1 + floor(random() * 98)::int, streets[1 + floor(random() * 5)::int], towns[company]), '0000'
                  FROM public.users u, generate_series(1, 5)
                 WHERE u.company_id = company AND u.role = 'technician' ORDER BY random() LIMIT 5;
            END IF;
        WHEN dice < 0.86 THEN
            UPDATE public.interventions
               SET status = 'completed', completed_at = now(), updated_at = now(), duration = 20 + 5 * floor(random() * 40)::int
             WHERE id = (SELECT id FROM public.interventions WHERE company_id = company AND status = 'started' ORDER BY random() LIMIT 1);
        ELSE
            INSERT INTO public.messages (company_id, conversation_id, client_id, sender, body)
            VALUES (company, 1 + floor(random() * 10)::int, chosen,
                    CASE WHEN random() < 0.7 THEN 'client' ELSE 'company' END, 'Appât : jamais publié');
        END CASE;
        COMMIT;

        PERFORM pg_sleep(least(0.15 + random() * 1.1, greatest(0, extract(epoch FROM ending - clock_timestamp()))));
        COMMIT;
    END LOOP;
END
$$;
