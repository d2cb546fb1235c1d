/** What a business service writes, in the two demo schemas. */

/**
 * One client row; its event carries the name.
 * @param {import('pg').Client} client @param {number} company @param {string} name
 */
export function addClient(client, company, name) {
    return client.query('INSERT INTO public.clients (company_id, name, type) VALUES ($1, $2, $3)', [company, name, 'particulier']);
}

/**
 * Many client rows in one statement, named `${prefix}1` to `${prefix}${count}`.
 * @param {import('pg').Client} client @param {number} company @param {string} prefix @param {number} count
 */
export function addClients(client, company, prefix, count, { padding = 0 } = {}) {
    return client.query(`INSERT INTO public.clients (company_id, name, type)
        SELECT $1, $2 || g || repeat('x', $4), 'particulier' FROM generate_series(1, $3::int) g`, [company, prefix, count, padding]);
}

/**
 * The truth: names of a company's clients that begin with `prefix`, in order of insertion.
 * @param {import('./cluster.mjs').Database} database @param {number} company @param {string} prefix
 * @returns {Promise<string[]>}
 */
export async function clientNames(database, company, prefix) {
    const rows = await database.dba('SELECT name FROM public.clients WHERE company_id = $1 AND starts_with(name, $2) ORDER BY id', [company, prefix]);
    return rows.map((row) => row.name);
}

/**
 * A business service that goes on writing whatever happens to its connection. What it could not
 * commit it forgets; what became of a COMMIT that got no answer only the database knows.
 */
export class Writer {
    /** @param {import('./cluster.mjs').Database} database @param {{companies: number[], prefix: string}} options */
    constructor(database, { companies, prefix }) {
        this.database = database;
        this.companies = companies;
        this.prefix = prefix;
        this.stopped = false;
        this.written = 0;
        this.failed = 0;
        this.running = this.#run();
    }

    async #run() {
        let client = null;
        for (let n = 0; !this.stopped; n++) {
            try {
                client ??= await this.database.connect('business');
                await addClient(client, this.companies[n % this.companies.length], `${this.prefix}${n}`);
                this.written++;
            } catch {
                this.failed++;
                await client?.end().catch(() => {});
                client = null;
            }
            // A pause of the service, not a wait of the test.
            await new Promise((resolve) => setTimeout(resolve, 1));
        }
    }

    async stop() {
        this.stopped = true;
        await this.running;
    }
}
