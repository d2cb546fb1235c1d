#!/bin/bash
# What a DBA reads in psql when a rule is refused: the lines that say something, and no others.
. "$(dirname "$0")/helper/tap.sh"
plan 5
said=$VIGIE_WORK/words
publish() # arguments of vigie.publish()
{
    psql -Xq -U deployer -c "SELECT * FROM vigie.publish('test:words', 'public.devis', 'update', $1)" >"$said" 2>&1 || true
}

publish "'rec.*', 'company:{company_id}'"
is "$(sed -n 1p "$said")" 'ERROR:  payload publishes all columns: rec.*' 'what is wrong'
is "$(grep -c '^HINT:  Name the columns' "$said")" 1 'what to do'
is "$(grep -c '^DETAIL' "$said")" 0 'no empty detail'
is "$([ "$(grep -c 'PL/pgSQL function' "$said")" -le 2 ] && echo short)" short 'and a short context'
publish "'rec.id, rec.absent', 'company:{company_id}', lookups => ARRAY[vigie.lookup('client', 'public.clients')]"
is "$(sed -n 1p "$said")" 'ERROR:  rule test:words: payload is not valid: column rec.absent does not exist' 'in the words of PostgreSQL where they are better'
finish
