/**
 * The crown jewel: nobody sees anything of another company, nor anything that a rule does not publish.
 *
 * Every text column of both demo schemas holds canaries that say whose they are and where they sit;
 * numbers and times that are not published have values that stand out. A random walk of business writes
 * over five companies is told to a model in this file as well; each session must receive exactly the
 * events of its rooms, in order, once. At the end every byte that came out of TLS is searched.
 *
 * SEED in the environment replays a walk.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CANARY, canary } from './lib/canary.mjs';
import { SEED, randomOf } from './lib/random.mjs';
import { Session } from './lib/session.mjs';
import { World } from './lib/world.mjs';

const world = new World();
/** Five companies of the snake_case schema, two of the Prisma one. */
const COMPANIES = ['1', '2', '3', '4', '5'];
const PRISMA = ['0000000a-0000-4000-8000-000000000001', '0000000b-0000-4000-8000-000000000001'];
const ALL = [...COMPANIES, ...PRISMA];
const STEPS = Number(process.env.STEPS ?? 500);

/** What may be seen of a canary's column, in which events. */
const PUBLISHED = new Set(['clientsname', 'interventionsaddress', 'usersname', 'devisreason', 'ClientdisplayName', 'Interventionaddress', 'UserdisplayName']);
/** Values of columns that are never published, as they would look in JSON or anywhere. */
const BAIT = ['987.65', '2871-03-04'];
const NEVER = '2871-03-04 05:06:07+00';
const PRISMA_NEVER = '2871-03-04 05:06:07.123';

test('random walk: each session receives exactly the events of its rooms, in order, once, and no byte of anything else', { timeout: 240_000 }, async (t) => {
    t.diagnostic(`SEED=${SEED} STEPS=${STEPS}`);
    const { bridge, database, business } = await world.enter(t, {
        config: {
            // Messages only to their conversation, interventions only to their technician.
            channels: Object.fromEntries([['messages', 'conversation:*'], ['message', 'conversation:*'], ['interventions', 'user:*'], ['intervention', 'user:*']]
                .map(([table, room]) => [table, { rooms: [room] }])),
            // Small enough that some resumes are answered by the database.
            history: { bytes: '64KiB' },
        },
    });
    await database.dba(`
        SELECT vigie.publish(event => 'facture:overdue', source => 'public.factures', ops => 'update', changes => 'status',
            condition => $$ new.status = 'overdue' $$, rooms => 'role:admin, role:office', payload => $$ rec.id $$);
        CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp
            AS $$ SELECT room ~ '^conversation:([1-4]|[0-9a-f-]{36})$' $$`);
    const walk = new Walk(bridge, business, randomOf('walk'));
    await walk.furnish();
    for (let step = 0; step < STEPS; step++) await walk.step();
    await walk.end();
    t.diagnostic(`${walk.log.length} events, ${walk.sessions.length} sessions, ${walk.received} received, ${walk.resumes} resumes`);
    assert.ok(walk.log.length > STEPS / 4);
    assert.ok(walk.received > STEPS);
    assert.equal(await bridge.metric('vigie_isolation_violations_total'), 0);
});

/**
 * @typedef {object} Dashboard a session and what the model says it must have received
 * @property {Session} session
 * @property {string} company
 * @property {string} user
 * @property {string | undefined} role
 * @property {Set<string>} rooms
 * @property {any[]} expected
 * @property {number} taken events of this session checked so far
 */

class Walk {
    /**
     * @param {import('./lib/bridge.mjs').Bridge} bridge
     * @param {import('pg').Client} client
     * @param {ReturnType<typeof randomOf>} random
     */
    constructor(bridge, client, random) {
        this.bridge = bridge;
        this.client = client;
        this.random = random;
        /** @type {{company: string, event: string, rooms: string[], data: any}[]} all that was committed */
        this.log = [];
        /** @type {{company: string, event: string, rooms: string[], data: any}[]} of the open transaction */
        this.pending = [];
        /** @type {Dashboard[]} */
        this.sessions = [];
        /** @type {Dashboard[]} */
        this.live = [];
        /** @type {Session[]} every socket ever opened */
        this.sockets = [];
        this.received = 0;
        this.resumes = 0;
        /** @type {Map<string, any>} what each company has */
        this.stock = new Map();
    }

    /** Rows to begin with, muted, and a witness in each company. */
    async furnish() {
        await this.client.query('SET vigie.mute = on');
        for (const company of COMPANIES) {
            const stock = { clients: [], users: [], devis: [], factures: [], interventions: [], pclients: [], pdevis: [] };
            this.stock.set(company, stock);
            for (let n = 0; n < 3; n++) await this.#addClient(company);
            for (let n = 0; n < 3; n++) {
                const name = canary(company, 'users.name');
                const { rows } = await this.client.query(`INSERT INTO users (company_id, name, role, email, phone, password_hash, created_at)
                    VALUES ($1, $2, 'technician', $3, $4, $5, $6) RETURNING id`,
                    [company, name, this.#bait(company, 'users.email'), this.#bait(company, 'users.phone'), this.#bait(company, 'users.password'), NEVER]);
                stock.users.push({ id: rows[0].id, name });
            }
        }
        for (const company of PRISMA) await this.#furnishPrisma(company);
        await this.client.query('RESET vigie.mute');
        this.pending = [];
        for (const company of ALL) await this.#open(company, `witness${company}`, 'admin');
    }

    /** @param {string} company @param {string} column */
    #bait(company, column) {
        return canary(company, column);
    }

    /** Notes an event of the open transaction. */
    /** @param {string} company @param {string} event @param {string[]} rooms @param {any} data */
    #note(company, event, rooms, data) {
        this.pending.push({ company, event, rooms, data });
    }

    /** @param {string} company */
    async #addClient(company) {
        const stock = this.stock.get(company);
        const [name, type] = [canary(company, 'clients.name'), this.random.pick(['particulier', 'professionnel', 'syndic', 'collectivite'])];
        const { rows } = await this.client.query(`INSERT INTO clients (company_id, name, type, email, phone, iban, notes, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
            [company, name, type, this.#bait(company, 'clients.email'), this.#bait(company, 'clients.phone'), this.#bait(company, 'clients.iban'), this.#bait(company, 'clients.notes'), NEVER]);
        stock.clients.push({ id: rows[0].id, name });
        this.#note(company, 'client:created', [`company:${company}`], { id: rows[0].id, name, type });
    }

    /** A client, now and then (a fault of the business) one of another company: its name must not show. */
    /** @param {string} company */
    #someClient(company) {
        if (!this.random.chance(0.05)) return this.random.pick(this.stock.get(company).clients);
        const other = this.random.pick((PRISMA.includes(company) ? PRISMA : COMPANIES).filter((one) => one !== company));
        const { id } = this.random.pick(this.stock.get(other).clients);
        return { id, name: null };
    }

    /** @param {string} company */
    async #addDevis(company) {
        const client = this.#someClient(company);
        const amount = this.random.below(100_000) / 10;
        const { rows } = await this.client.query(`INSERT INTO devis (company_id, client_id, number, amount, margin, notes, created_at, updated_at)
            VALUES ($1, $2, $3, $4, 987.65, $5, $6, $6) RETURNING id`, [company, client.id, this.#bait(company, 'devis.number'), amount, this.#bait(company, 'devis.notes'), NEVER]);
        const devis = { id: rows[0].id, client, status: 'draft' };
        this.stock.get(company).devis.push(devis);
        this.#note(company, 'devis:created', [`company:${company}`], { id: devis.id, clientName: client.name, amount });
    }

    /** Several quotes in one statement. @param {string} company */
    async #decideDevis(company) {
        const list = this.stock.get(company).devis.slice(-8);
        const status = this.random.pick(['sent', 'signed', 'rejected']);
        const reason = canary(company, 'devis.reason');
        const chosen = list.filter(() => this.random.chance(0.5));
        if (chosen.length === 0) return;
        await this.client.query(`UPDATE devis SET status = $1, reason = CASE WHEN $1 = 'rejected' THEN $2 END, notes = $3, updated_at = $4 WHERE id = ANY ($5) AND company_id = $6`,
            [status, reason, this.#bait(company, 'devis.notes'), NEVER, chosen.map((one) => one.id), company]);
        /** @type {any[]} */
        const events = [];
        for (const devis of chosen) {
            if (devis.status !== status && status !== 'sent')
                events.push({ company, event: `devis:${status}`, rooms: [`company:${company}`],
                              data: { id: devis.id, clientName: devis.client.name, ...(status === 'rejected' ? { reason } : {}) } });
            this.undo.push([devis, devis.status]);
            devis.status = status;
        }
        // The rows of one UPDATE come in whatever order the plan has: compared as a set.
        if (events.length) this.pending.push(...events.map((event) => ({ ...event, set: events.length })));
    }

    /** @param {string} company */
    async #addFacture(company) {
        const client = this.#someClient(company);
        const amount = this.random.below(100_000) / 10;
        const { rows } = await this.client.query(`INSERT INTO factures (company_id, client_id, number, amount, iban, notes, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id`, [company, client.id, this.#bait(company, 'factures.number'), amount, this.#bait(company, 'factures.iban'), this.#bait(company, 'factures.notes'), NEVER]);
        const facture = { id: rows[0].id, client, amount, status: 'draft' };
        this.stock.get(company).factures.push(facture);
        this.#note(company, 'facture:created', [`company:${company}`], { id: facture.id, clientName: client.name, amount });
    }

    /** @param {string} company */
    async #moveFacture(company) {
        const list = this.stock.get(company).factures;
        if (list.length === 0) return;
        const facture = this.random.pick(list);
        const status = this.random.pick(['sent', 'paid', 'overdue']);
        await this.client.query('UPDATE factures SET status = $1, paid_at = $2 WHERE id = $3', [status, NEVER, facture.id]);
        if (status !== facture.status && status === 'paid')
            this.#note(company, 'facture:paid', [`company:${company}`], { id: facture.id, clientName: facture.client.name, amount: facture.amount });
        if (status !== facture.status && status === 'overdue')
            this.#note(company, 'facture:overdue', ['role:admin', 'role:office'], { id: facture.id });
        this.undo.push([facture, facture.status]);
        facture.status = status;
    }

    /** @param {string} company */
    async #addIntervention(company) {
        const stock = this.stock.get(company);
        const user = this.random.chance(0.2) ? null : this.random.pick(stock.users);
        const address = canary(company, 'interventions.address');
        const { rows } = await this.client.query(`INSERT INTO interventions (company_id, client_id, assignee_id, address, door_code, notes, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id`, [company, this.#someClient(company).id, user?.id ?? null, address, this.#bait(company, 'interventions.door'), this.#bait(company, 'interventions.notes'), NEVER]);
        stock.interventions.push({ id: rows[0].id, user, address, status: 'planned' });
    }

    /** @param {string} company */
    async #moveIntervention(company) {
        const list = this.stock.get(company).interventions;
        if (list.length === 0) return;
        const one = this.random.pick(list);
        const status = this.random.pick(['started', 'completed', 'cancelled']);
        const duration = this.random.below(300);
        await this.client.query('UPDATE interventions SET status = $1, duration = $2, started_at = $3 WHERE id = $4', [status, duration, NEVER, one.id]);
        // The bridge's map keeps only the technician's room: without one there is none.
        const rooms = one.user ? [`user:${one.user.id}`] : [];
        if (status !== one.status && status === 'started')
            this.#note(company, 'intervention:started', rooms, { id: one.id, address: one.address, assignee: one.user?.name ?? null });
        if (status !== one.status && status === 'completed')
            this.#note(company, 'intervention:completed', rooms, { id: one.id, address: one.address, duration });
        this.undo.push([one, one.status]);
        one.status = status;
    }

    /** @param {string} company */
    async #addMessage(company) {
        const client = this.#someClient(company);
        const conversation = 1 + this.random.below(6);
        const sender = this.random.chance(0.7) ? 'client' : 'company';
        const { rows } = await this.client.query(`INSERT INTO messages (company_id, conversation_id, client_id, sender, body, created_at)
            VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`, [company, conversation, client.id, sender, this.#bait(company, 'messages.body'), NEVER]);
        if (sender === 'client')
            this.#note(company, 'message:received', [`conversation:${conversation}`], { id: rows[0].id, conversationId: conversation, clientName: client.name });
    }

    // ---- the same as Prisma writes it: uuid keys, every save sets updatedAt ----

    /** @param {string} company */
    async #furnishPrisma(company) {
        this.stock.set(company, { clients: [], users: [], devis: [], factures: [], interventions: [], conversations: [] });
        const stock = this.stock.get(company);
        await this.client.query('INSERT INTO prisma."Company" ("id", "name", "iban", "createdAt") VALUES ($1, $2, $3, $4)',
            [company, this.#bait(company, 'Company.name'), this.#bait(company, 'Company.iban'), PRISMA_NEVER]);
        for (let n = 0; n < 3; n++) {
            const name = canary(company, 'User.displayName');
            const { rows } = await this.client.query(`INSERT INTO prisma."User" ("companyId", "displayName", "email", "passwordHash", "createdAt")
                VALUES ($1, $2, $3, $4, $5) RETURNING "id"`, [company, name, this.#bait(company, 'User.email'), this.#bait(company, 'User.passwordHash'), PRISMA_NEVER]);
            stock.users.push({ id: rows[0].id, name });
            await this.#addCustomer(company);
            const client = stock.clients[n];
            const conversation = await this.client.query('INSERT INTO prisma."Conversation" ("companyId", "clientId") VALUES ($1, $2) RETURNING "id"', [company, client.id]);
            stock.conversations.push({ id: conversation.rows[0].id, client });
        }
    }

    /** @param {string} company */
    async #addCustomer(company) {
        const [name, type] = [canary(company, 'Client.displayName'), this.random.pick(['PARTICULIER', 'PROFESSIONNEL', 'SYNDIC'])];
        const { rows } = await this.client.query(`INSERT INTO prisma."Client" ("companyId", "displayName", "type", "email", "phoneNumber", "internalNotes", "createdAt", "updatedAt")
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING "id"`,
            [company, name, type, this.#bait(company, 'Client.email'), this.#bait(company, 'Client.phoneNumber'), this.#bait(company, 'Client.internalNotes'), PRISMA_NEVER]);
        this.stock.get(company).clients.push({ id: rows[0].id, name });
        this.#note(company, 'customer:created', [`company:${company}`], { id: rows[0].id, name, type: type.toLowerCase() });
    }

    /** @param {string} company */
    async #addQuote(company) {
        const client = this.#someClient(company);
        const amount = this.random.below(100_000) / 10;
        const { rows } = await this.client.query(`INSERT INTO prisma."Devis" ("companyId", "clientId", "totalTtc", "marginPct", "createdAt", "updatedAt")
            VALUES ($1, $2, $3, 987.65, $4, $4) RETURNING "id"`, [company, client.id, amount, PRISMA_NEVER]);
        this.stock.get(company).devis.push({ id: rows[0].id, client, amount, status: 'DRAFT' });
        this.#note(company, 'quote:created', [`company:${company}`], { id: rows[0].id, clientName: client.name, amount });
    }

    /** As an ORM saves: all columns, changed or not. @param {string} company */
    async #saveQuote(company) {
        const list = this.stock.get(company).devis;
        if (list.length === 0) return;
        const quote = this.random.pick(list);
        const status = this.random.pick(['DRAFT', 'SENT', 'SIGNED', 'REJECTED']);
        await this.client.query(`UPDATE prisma."Devis" SET "companyId" = $2, "clientId" = $3, "status" = $4::prisma."DevisStatus", "totalTtc" = $5, "marginPct" = 987.65, "rejectionReason" = $6, "updatedAt" = $7 WHERE "id" = $1`,
            [quote.id, company, quote.client.id, status, quote.amount, this.#bait(company, 'Devis.rejectionReason'), PRISMA_NEVER]);
        if (status !== quote.status && status === 'SIGNED')
            this.#note(company, 'quote:signed', [`company:${company}`, `client:${quote.client.id}`], { id: quote.id, clientName: quote.client.name });
        this.undo.push([quote, quote.status]);
        quote.status = status;
    }

    /** @param {string} company */
    async #payInvoice(company) {
        const client = this.#someClient(company);
        const amount = this.random.below(100_000) / 10;
        const { rows } = await this.client.query(`INSERT INTO prisma."Invoice" ("companyId", "clientId", "totalTtc", "iban", "createdAt", "updatedAt")
            VALUES ($1, $2, $3, $4, $5, $5) RETURNING "id"`, [company, client.id, amount, this.#bait(company, 'Invoice.iban'), PRISMA_NEVER]);
        await this.client.query('UPDATE prisma."Invoice" SET "status" = \'PAID\', "updatedAt" = $2 WHERE "id" = $1', [rows[0].id, PRISMA_NEVER]);
        this.#note(company, 'invoice:paid', [`company:${company}`], { id: rows[0].id, clientName: client.name, amount });
    }

    /** @param {string} company */
    async #startVisit(company) {
        const user = this.random.chance(0.2) ? null : this.random.pick(this.stock.get(company).users);
        const address = canary(company, 'Intervention.address');
        const { rows } = await this.client.query(`INSERT INTO prisma."Intervention" ("companyId", "clientId", "assigneeId", "address", "doorCode", "createdAt", "updatedAt")
            VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING "id"`, [company, this.#someClient(company).id, user?.id ?? null, address, this.#bait(company, 'Intervention.doorCode'), PRISMA_NEVER]);
        await this.client.query('UPDATE prisma."Intervention" SET "status" = \'STARTED\', "updatedAt" = $2 WHERE "id" = $1', [rows[0].id, PRISMA_NEVER]);
        this.#note(company, 'visit:started', user ? [`user:${user.id}`] : [], { id: rows[0].id, address, assignee: user?.name ?? null });
    }

    /** @param {string} company */
    async #write(company) {
        const conversation = this.random.pick(this.stock.get(company).conversations);
        const fromClient = this.random.chance(0.7);
        const { rows } = await this.client.query('INSERT INTO prisma."Message" ("conversationId", "fromClient", "body", "createdAt") VALUES ($1, $2, $3, $4) RETURNING "id"',
            [conversation.id, fromClient, this.#bait(company, 'Message.body'), PRISMA_NEVER]);
        if (fromClient)
            this.#note(company, 'message:arrived', [`conversation:${conversation.id}`], { id: rows[0].id, conversationId: conversation.id, clientName: conversation.client.name });
    }

    /** One business transaction of a few writes, sometimes of several companies, sometimes undone. */
    async #transaction() {
        /** @type {[any, string][]} */
        this.undo = [];
        const stock = structuredCloneOfLengths(this.stock);
        await this.client.query('BEGIN');
        for (let n = 1 + this.random.below(4); n > 0; n--) {
            const company = this.random.pick(ALL);
            await this.random.pick(PRISMA.includes(company) ? [
                () => this.#addCustomer(company), () => this.#addQuote(company), () => this.#saveQuote(company), () => this.#payInvoice(company),
                () => this.#startVisit(company), () => this.#write(company), () => this.#write(company),
            ] : [
                () => this.#addClient(company), () => this.#addDevis(company), () => this.#decideDevis(company),
                () => this.#addFacture(company), () => this.#moveFacture(company), () => this.#addIntervention(company),
                () => this.#moveIntervention(company), () => this.#moveIntervention(company), () => this.#addMessage(company), () => this.#addMessage(company),
            ])();
        }
        if (this.random.chance(0.15)) {
            await this.client.query('ROLLBACK');
            for (const [one, status] of this.undo.reverse()) one.status = status;
            for (const [company, lengths] of stock) for (const [kind, length] of lengths) this.stock.get(company)[kind].length = length;
            this.pending = [];
            return;
        }
        await this.client.query('COMMIT');
        this.#commit();
    }

    #commit() {
        for (const event of this.pending) {
            this.log.push(event);
            for (const dashboard of this.sessions)
                if (dashboard.company === event.company && !dashboard.gone && event.rooms.some((room) => dashboard.rooms.has(room)))
                    dashboard.expected.push(event);
        }
        this.pending = [];
    }

    /** Waits until all that was committed has been routed: the last event of each company is with its witness. */
    async #settle() {
        await this.client.query('BEGIN');
        for (const company of COMPANIES) await this.#addClient(company);
        for (const company of PRISMA) await this.#addCustomer(company);
        await this.client.query('COMMIT');
        this.#commit();
        for (const dashboard of this.live) await this.#check(dashboard);
    }

    /** All that is expected has come, and nothing else. @param {Dashboard} dashboard */
    async #check(dashboard) {
        const { session, expected } = dashboard;
        const due = expected.length - dashboard.before;
        await session.signal.until(() => session.events.length >= due || session.socket.wire.ended, { what: `event ${due} of ${dashboard.user}@${dashboard.company}`, state: () => session.events.length });
        await session.roundTrip();
        assert.equal(session.events.length, due, `${dashboard.user}@${dashboard.company}: ${session.events.length} events for ${due}; first too many: ${session.events[due]?.text}`);
        for (let at = dashboard.taken; at < due;) {
            const size = expected[dashboard.before + at].set ?? 1;
            const want = expected.slice(dashboard.before + at, dashboard.before + at + size);
            const seen = session.events.slice(at, at + size);
            const text = (/** @type {any} */ one) => JSON.stringify([one.event, one.data]);
            assert.deepEqual(seen.map(text).sort(), want.map(text).sort(), `${dashboard.user}@${dashboard.company} at ${at}`);
            for (const one of seen) assert.ok(dashboard.rooms.has(one.room), `room ${one.room} of ${one.text}`);
            at += size;
        }
        this.received += due - dashboard.taken;
        dashboard.taken = due;
        assert.deepEqual(session.gaps, []);
    }

    /** @param {string} company @param {string} user @param {string | undefined} role */
    async #open(company, user, role) {
        const session = await Session.open(this.bridge, { token: world.token({ company, user, role }) });
        this.sockets.push(session);
        const rooms = new Set([`company:${company}`, `user:${user}`, ...(role ? [`role:${role}`] : [])]);
        assert.deepEqual(new Set(session.ready.rooms), rooms);
        const dashboard = { session, company, user, role, rooms, expected: [], before: 0, taken: 0, gone: false };
        this.sessions.push(dashboard);
        this.live.push(dashboard);
    }

    #somebody() {
        const company = this.random.pick(ALL);
        const user = `${this.random.pick(this.stock.get(company).users).id}`;
        return /** @type {const} */ ([company, this.random.chance(0.7) ? user : `u${this.random.below(5)}`, this.random.pick([undefined, 'admin', 'office', 'technician'])]);
    }

    /** The connection is lost and found again, with cursor and rooms; meanwhile business goes on. */
    async #resume() {
        const dashboard = this.random.pick(this.live);
        await this.#check(dashboard);
        dashboard.session.destroy();
        const { cursor } = dashboard.session;
        for (let n = this.random.below(this.random.chance(0.1) ? 60 : 4); n > 0; n--) await this.#transaction();
        const session = await Session.connect(this.bridge);
        this.sockets.push(session);
        const joined = [...dashboard.rooms].filter((room) => room.startsWith('conversation:'));
        session.socket.send({ type: 'auth', token: world.token({ company: dashboard.company, user: dashboard.user, role: dashboard.role }), cursor, rooms: joined });
        await session.untilReady();
        assert.equal(session.ready.resumed, true);
        assert.deepEqual(new Set(session.ready.rooms), dashboard.rooms);
        dashboard.session = session;
        dashboard.before += dashboard.taken;
        dashboard.taken = 0;
        this.resumes++;
    }

    async step() {
        const dice = this.random.below(100);
        if (dice < 70) return this.#transaction();
        if (dice < 78) return this.#resume();
        // What follows changes who is where: the model has to know before or after which event.
        await this.#settle();
        const dashboard = this.random.pick(this.live);
        if (dice < 86 && this.live.length < 40) return this.#open(...this.#somebody());
        if (dice < 92) {
            // Now and then the conversation of another company: joined or not, nothing of it may come.
            const owner = this.random.pick(this.random.chance(0.8) ? [dashboard.company] : ALL);
            const room = `conversation:${PRISMA.includes(owner) ? this.random.pick(this.stock.get(owner).conversations).id : 1 + this.random.below(6)}`;
            const answer = await dashboard.session.join(room);
            const allowed = /:([1-4]|.{36})$/.test(room);
            assert.equal(answer.type, allowed ? 'joined' : 'error', JSON.stringify(answer));
            if (allowed) dashboard.rooms.add(room);
        } else if (dice < 95) {
            const room = [...dashboard.rooms].find((one) => one.startsWith('conversation:'));
            if (!room) return;
            assert.equal((await dashboard.session.leave(room)).type, 'left');
            dashboard.rooms.delete(room);
        } else if (dice < 98) {
            const role = this.random.pick([undefined, 'admin', 'office', 'technician']);
            const from = dashboard.session.messages.length;
            dashboard.session.auth(world.token({ company: dashboard.company, user: dashboard.user, role }));
            await dashboard.session.message((message) => message.type === 'renewed', { from });
            // Who loses a role loses with it the rooms on request that it may have opened.
            if (dashboard.role && dashboard.role !== role)
                for (const room of dashboard.rooms)
                    if (room === `role:${dashboard.role}` || room.startsWith('conversation:')) dashboard.rooms.delete(room);
            if (role) dashboard.rooms.add(`role:${role}`);
            dashboard.role = role;
        } else if (!dashboard.user.startsWith('witness')) {
            await dashboard.session.bye();
            dashboard.gone = true;
            this.live.splice(this.live.indexOf(dashboard), 1);
        }
    }

    async end() {
        await this.#settle();
        for (const dashboard of this.live) await dashboard.session.bye();
        const companyOf = new Map(this.sessions.map((dashboard) => [dashboard, dashboard.company]));
        for (const socket of this.sockets) {
            const { company } = socket.ready;
            assertNoForeignByte(socket.bytes().toString('utf8'), company);
        }
        assert.equal(companyOf.size, this.sessions.length);
    }
}

/** @param {Map<string, Record<string, any[]>>} stock */
function structuredCloneOfLengths(stock) {
    return new Map([...stock].map(([company, kinds]) => [company, Object.entries(kinds).map(([kind, list]) => /** @type {[string, number]} */ ([kind, list.length]))]));
}

/** @param {string} text everything that came out of TLS @param {string} company */
function assertNoForeignByte(text, company) {
    for (const [found, whose, column] of text.matchAll(new RegExp(`${CANARY}_([^_]*)_([A-Za-z]*)_`, 'g'))) {
        assert.equal(whose, company, `${found} reached company ${company}`);
        assert.ok(PUBLISHED.has(column), `${found} is not published`);
    }
    for (const bait of BAIT) assert.ok(!text.includes(bait), `${bait} reached company ${company}`);
}

test('the search for canaries finds one', () => {
    assertNoForeignByte(`x ${canary('1', 'clients.name')} y`, '1');
    for (const bad of [canary('2', 'clients.name'), canary('1', 'clients.email'), 'x 987.65', '"2871-03-04T'])
        assert.throws(() => assertNoForeignByte(`x ${bad} y`, '1'), bad);
});
