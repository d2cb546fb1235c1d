# shellcheck shell=bash disable=SC2154,SC2034 # the variables of scripts/demo
# The demo's bridge: binary, certificate, key, tokens, page, configuration, process.
# Sourced by scripts/demo: uses its root, state, binary, runner, as_runner, bridge_url,
# origins and channels. Fills bridge_pid.

issuer=https://demo.vigie.localhost/
audience=vigie-demo
token_ttl=43200

# A copy, so that a rebuild does not pull the rug from under the demo, and its user can reach it.
build_bridge()
{
    if [ -z "$binary" ]; then
        binary=$root/build/release/bridge/vigie
        say 'Building it'
        (
            cd "$root"
            quietly "$state/build.log" cmake --preset release &&
                quietly "$state/build.log" nice cmake --build --preset release --target vigie
        ) || exit 1
    fi
    [[ $binary = /* ]] || binary=$root/$binary
    install -m 755 "$binary" "$state/vigie"
    say "$("$state/vigie" --version | head -n 1)"
}

give_to_runner() # paths…
{
    [ ${#as_runner[@]} -eq 0 ] || chown -R "$runner" "$@"
}

make_certificate()
{
    if ! openssl x509 -in "$state/cert.pem" -noout -checkend 86400 >/dev/null 2>&1; then
        say 'Making a development certificate for localhost'
        (umask 077 && quietly "$state/openssl.log" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -keyout "$state/key.pem" -out "$state/cert.pem" -days 90 -subj '/CN=Vigie demo' \
            -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
            -addext 'basicConstraints=critical,CA:FALSE' -addext 'extendedKeyUsage=serverAuth') || exit 1
    fi
    give_to_runner "$state/cert.pem" "$state/key.pem"
}

make_token_key()
{
    secret_file "$state/token.key"
}

mint_token() # arguments of `vigie token`…
{
    "$state/vigie" token --key-file "$state/token.key" --alg HS256 --iss "$issuer" --aud "$audience" "$@"
}

choose_port() # the one that was asked for, or nothing
{
    if [ -z "$1" ]; then
        first_free_port 8443
    elif [ "$1" -eq 0 ]; then
        first_free_port $((20000 + RANDOM % 10000))
    else
        port_is_free "$1" || die "port $1 is taken"
        echo "$1"
    fi
}

# Two companies, two roles: who the page can look at the business as.
demo_people()
{
    psql -XqAt -F $'\t' "$(cat "$state/database.url")" <<'EOF'
SELECT format('%s-%s', c.id, label), c.id, c.name, u.id, u.role, label
  FROM (VALUES (1, 1, 'admin', 'dirigeant'), (2, 1, 'technician', 'technicien'), (3, 2, 'admin', 'dirigeant'))
       AS wanted (n, company_id, role, label)
  JOIN companies c ON c.id = wanted.company_id
 CROSS JOIN LATERAL (SELECT * FROM users WHERE company_id = c.id AND role = wanted.role ORDER BY id LIMIT 1) AS u
 ORDER BY n
EOF
}

# The page, and what it may show: tokens for a demo, never for anything else.
make_site()
{
    rm -rf "$state/site"
    mkdir -p "$state/site"
    cp "$root"/client/demo/* "$root/client/vigie-client.js" "$state/site/"

    local id company name user role label token
    (
        umask 077
        demo_people | while IFS=$'\t' read -r id company name user role label; do
            token=$(mint_token --company "$company" --user "$user" --role "$role" --ttl "$token_ttl")
            printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$id" "$company" "$name" "$user" "$role" "$label" "$token"
        done >"$state/people.tsv"
    )
    [ "$(wc -l <"$state/people.tsv")" -eq 3 ] ||
        die 'companies 1 and 2 with an admin and a technician were not found in the database'

    PEOPLE=$state/people.tsv psql -XqAt "$(cat "$state/database.url")" >"$state/site/tokens.json" <<'EOF'
\set people `cat "$PEOPLE"`
WITH person AS (
    SELECT n, string_to_array(line, E'\t') AS f
      FROM string_to_table(:'people', E'\n') WITH ORDINALITY AS t (line, n)
), command AS (
    SELECT c.id AS company, what, format('scripts/demo sql "%s"', format(sql, c.id)) AS text, n
      FROM companies c
     CROSS JOIN (VALUES
        (1, 'Signer un devis', $$UPDATE devis SET status = 'signed' WHERE id = (SELECT min(id) FROM devis WHERE company_id = %s AND status = 'sent')$$),
        (2, 'Encaisser une facture', $$UPDATE factures SET status = 'paid' WHERE id = (SELECT min(id) FROM factures WHERE company_id = %s AND status = 'sent')$$)
     ) AS example (n, what, sql)
     WHERE c.id IN (SELECT f[2]::int FROM person)
    UNION ALL
    SELECT id, 'Une minute de vie d’entreprise', 'scripts/demo --activity', 3 FROM companies
     WHERE id IN (SELECT f[2]::int FROM person)
)
SELECT json_build_object(
    'people', (SELECT json_agg(json_build_object('id', f[1], 'company', f[2], 'companyName', f[3], 'user', f[4],
                                                 'role', f[6], 'token', f[7]) ORDER BY n) FROM person),
    'commands', (SELECT json_agg(json_build_object('company', company::text, 'what', what, 'text', text) ORDER BY company, n)
                   FROM command))
EOF
    give_to_runner "$state/site"
}

write_config() # port
{
    cat >"$state/vigie.yaml" <<EOF
# Written by scripts/demo at each start.
listen:
  address: 127.0.0.1
  port: $1
  tls: on
  certificate: cert.pem
  private_key: key.pem
  origins:
$(printf '    - "%s"\n' "https://localhost:$1" "https://127.0.0.1:$1" "${origins[@]}" | sort -u)
admin:
  address: 127.0.0.1
  port: 0
demo:
  enabled: yes
  directory: site
database:
  url: "$bridge_url"
channels:
$(printf '  %s: {}\n' devis factures interventions clients messages "${channels[@]}" | sort -u)
issuers:
  - name: demo
    iss: $issuer
    aud: $audience
    algorithm: HS256
    key_file: token.key
    claims: { company: company, user: sub, role: role }
    companies: ["*"]
limits:
  sessions_per_address: 1000
drain:
  window: 1s
EOF
    chmod 600 "$state/vigie.yaml"
    give_to_runner "$state/vigie.yaml"
}

bridge_said() # event
{
    grep -q " event=$1\( \|\$\)" "$state/bridge.log"
}

start_bridge()
{
    : >"$state/bridge.log"
    give_to_runner "$state/bridge.log"
    "${as_runner[@]}" setsid "$state/vigie" --config "$state/vigie.yaml" >>"$state/bridge.log" 2>&1 </dev/null 9>&- &
    bridge_pid=$!
    remember_process "$state/bridge.pid" "$bridge_pid"
    if ! wait_until 30 "$state/bridge.pid" bridge_said ready; then
        tail -n 20 "$state/bridge.log" >&2
        die "the bridge did not get ready; its log is $state/bridge.log"
    fi
    say "Listening; its log is $state/bridge.log"
}
