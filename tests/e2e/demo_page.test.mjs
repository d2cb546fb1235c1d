/**
 * The demonstration as a person sees it: scripts/demo starts everything, headless Chromium opens the
 * page over TLS, SQL is run as the business would. Screenshots are left in tests/artifacts.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BINARY = path.resolve(ROOT, process.env.VIGIE_BINARY ?? 'build/asan/bridge/vigie');
const ARTIFACTS = path.join(ROOT, 'tests/artifacts');
const DEMO = path.join(ROOT, 'scripts/demo');

/** scripts/demo in a folder of its own, beside whatever demo a person runs in this checkout. */
class Demo {
    constructor() {
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vigie-demo-test-'));
        fs.chmodSync(this.folder, 0o755);
        this.env = { ...process.env, VIGIE_DEMO_DIR: path.join(this.folder, 'demo'), VIGIE_BINARY: BINARY };
        this.port = 0;
        this.output = '';
        /** @type {Promise<number | string | null>} */
        this.ended = Promise.resolve(null);
    }

    /** Until it says how to stop it. @param {string[]} args */
    async start(...args) {
        this.output = '';
        const child = spawn(DEMO, ['--no-open', '--port', String(this.port), ...args], { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
        this.process = child;
        this.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
        const started = new Promise((resolve) => {
            const take = (/** @type {Buffer} */ text) => {
                this.output += text;
                if (this.output.includes('Ctrl-C stops all of it.')) resolve(true);
            };
            child.stdout.on('data', take);
            child.stderr.on('data', take);
        });
        const ended = this.ended.then((how) => assert.fail(`scripts/demo ended (${how}): ${this.output}`));
        await Promise.race([started, ended]);
        ended.catch(() => {});
        this.url = /https:\/\/localhost:(\d+)\//.exec(this.output)?.[0] ?? assert.fail(this.output);
        this.port = Number(new URL(this.url).port);
    }

    /** @param {string} statement */
    async sql(statement) {
        const { stdout } = await run(DEMO, ['sql', statement], { env: this.env });
        return stdout.trim();
    }

    /** The first quote of a company that waits for a signature: its id and its client. @param {number} company */
    async openQuote(company) {
        const text = await this.sql(`COPY (SELECT devis.id, clients.name FROM devis JOIN clients ON clients.id = client_id
            WHERE devis.company_id = ${company} AND status = 'sent' ORDER BY devis.id LIMIT 1) TO STDOUT`);
        const [id, client] = text.split('\t');
        return { id: Number(id), client };
    }

    /** @param {NodeJS.Signals} signal */
    async stop(signal) {
        this.process?.kill(signal);
        return this.ended;
    }

    /** Command lines of processes that have to do with this demo. */
    leftovers() {
        return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
            try {
                const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
                return command.includes(this.folder) ? [command] : [];
            } catch {
                return []; // it ended meanwhile
            }
        });
    }
}

const demo = new Demo();
/** @type {import('playwright-core').Browser} */
let browser;

before(async () => {
    fs.mkdirSync(ARTIFACTS, { recursive: true });
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
               '--disable-component-update', '--disable-sync'],
    });
    await demo.start();
}, { timeout: 120_000 });

after(async () => {
    await browser?.close();
    await demo.stop('SIGTERM');
    fs.rmSync(demo.folder, { recursive: true, force: true });
});

/**
 * The page as one of the three people; `complaints` collects what the browser's console complains of.
 * @param {string} person
 * @param {{width?: number, height?: number, colorScheme?: 'light' | 'dark'}} [options]
 */
async function open(person, { width = 1280, height = 900, colorScheme = 'light' } = {}) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width, height }, colorScheme, locale: 'fr-FR' });
    const page = await context.newPage();
    /** @type {string[]} */
    const complaints = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`${demo.url}#${person}`);
    return { page, complaints, close: () => context.close() };
}

/** @param {import('playwright-core').Page} page @param {RegExp | string} text */
const pillSays = (page, text) => page.locator('#pill').filter({ hasText: text }).waitFor({ timeout: 30_000 });

/** @param {import('playwright-core').Page} page @param {string} name */
const screenshot = (page, name) => page.screenshot({ path: path.join(ARTIFACTS, `demo-${name}.png`) });

/** @param {import('playwright-core').Page} page @param {string} client */
const signedLines = (page, client) => page.locator('.entry').filter({ hasText: 'Devis signé' }).filter({ hasText: client });

test('a signed quote appears on every dashboard of its company, and on no other', { timeout: 60_000 }, async () => {
    const boss = await open('1-dirigeant');
    const technician = await open('1-technicien', { width: 360, height: 780 });
    const other = await open('2-dirigeant', { colorScheme: 'dark' });
    for (const { page } of [boss, technician, other]) await pillSays(page, 'En direct');
    await screenshot(boss.page, 'empty-1280');

    const ours = await demo.openQuote(1);
    assert.equal(await demo.sql(`UPDATE devis SET status = 'signed' WHERE id = ${ours.id}`), 'UPDATE 1');
    for (const { page } of [boss, technician]) {
        await page.getByRole('status').filter({ hasText: `Devis signé — ${ours.client}` }).waitFor();
        await signedLines(page, ours.client).waitFor();
        assert.equal(await page.locator('#figure-signed').textContent(), '1');
        assert.equal(await page.locator('#count').textContent(), '1');
        assert.match(await page.locator('#latency').textContent() ?? '', /\d+\sms|<\s1\sms/);
    }

    // The other company's page is live, and has received its own event and nothing else.
    const theirs = await demo.openQuote(2);
    await demo.sql(`UPDATE devis SET status = 'signed' WHERE id = ${theirs.id}`);
    await signedLines(other.page, theirs.client).waitFor();
    assert.equal(await other.page.locator('.entry').count(), 1);
    assert.equal(await other.page.locator('#count').textContent(), '1');
    assert.equal(await boss.page.locator('.entry').count(), 1);

    await screenshot(boss.page, 'signed-1280');
    await screenshot(technician.page, 'signed-360');
    await screenshot(other.page, 'other-company-dark-1280');
    for (const { complaints, close } of [boss, technician, other]) {
        assert.deepEqual(complaints, []);
        await close();
    }
});

test('the nine events read well at 1280 and at 360 pixels', { timeout: 60_000 }, async () => {
    const wide = await open('1-dirigeant', { height: 1100 });
    const narrow = await open('1-dirigeant', { width: 360, height: 1400 });
    for (const { page } of [wide, narrow]) await pillSays(page, 'En direct');

    const { id } = await demo.openQuote(1);
    for (const statement of [
        `INSERT INTO clients (id, company_id, name, type) VALUES (5001, 1, 'Hôpital Saint-Jacques', 'collectivite')`,
        `INSERT INTO devis (id, company_id, client_id, number, status, amount) VALUES (5001, 1, 5001, 'D-5001', 'sent', 12480.5)`,
        `UPDATE devis SET status = 'signed' WHERE id = 5001`,
        `UPDATE devis SET status = 'rejected', reason = 'Travaux reportés' WHERE id = ${id}`,
        `INSERT INTO factures (id, company_id, client_id, number, status, amount) VALUES (5001, 1, 5001, 'F-5001', 'sent', 12480.5)`,
        `UPDATE factures SET status = 'paid' WHERE id = 5001`,
        `INSERT INTO interventions (id, company_id, client_id, assignee_id, address) VALUES (5001, 1, 5001, 3, '85 rue Saint-Jacques, 44000 Nantes')`,
        `UPDATE interventions SET status = 'started' WHERE id = 5001`,
        `UPDATE interventions SET status = 'completed', duration = 95 WHERE id = 5001`,
        `INSERT INTO messages (company_id, conversation_id, client_id, sender, body) VALUES (1, 3, 5001, 'client', 'secret body')`,
    ]) await demo.sql(statement);

    for (const { page } of [wide, narrow]) {
        await page.locator('.entry').filter({ hasText: 'Nouveau message' }).waitFor();
        const titles = await page.locator('.entry__title').allTextContents();
        assert.deepEqual(titles, ['Nouveau message', 'Intervention terminée', 'Intervention commencée', 'Facture payée', 'Nouvelle facture',
            'Devis refusé', 'Devis signé', 'Nouveau devis', 'Nouveau client']);
        const text = (await page.locator('#lines').textContent() ?? '').replace(/\s/g, ' ');
        for (const words of ['12 480,50 €', '1 h 35', 'Travaux reportés', 'collectivité']) assert.ok(text.includes(words), `${words} in ${text}`);
        assert.ok(!text.includes('secret body'));
        assert.equal((await page.locator('#figure-paid').textContent() ?? '').replace(/\s/g, ' '), '12 481 €');
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(overflow <= 0, `the page is ${overflow} pixels wider than the window`);
    }
    await screenshot(wide.page, 'nine-1280');
    await screenshot(narrow.page, 'nine-360');

    await wide.page.getByRole('button', { name: 'Factures' }).click();
    assert.deepEqual(await wide.page.locator('.entry__title').allTextContents(), ['Facture payée', 'Nouvelle facture']);
    for (const { complaints, close } of [wide, narrow]) {
        assert.deepEqual(complaints, []);
        await close();
    }
});

test('what happened during a cut is caught up, once and in order', { timeout: 60_000 }, async () => {
    const { page, complaints, close } = await open('1-dirigeant');
    await pillSays(page, 'En direct');
    const [before, during, later] = ['Avant la coupure', 'Pendant la coupure', 'Après la coupure'];
    const create = (/** @type {string} */ name) => demo.sql(`INSERT INTO clients (company_id, name, type) VALUES (1, '${name}', 'particulier')`);
    await create(before);
    await page.locator('.entry').filter({ hasText: before }).waitFor();

    await page.getByRole('button', { name: 'Couper la liaison' }).click();
    await pillSays(page, 'Hors ligne');
    await create(during);
    await page.getByRole('alert').filter({ hasText: 'Connexion perdue' }).waitFor();
    await screenshot(page, 'lost-1280');
    await pillSays(page, 'En direct');
    await page.getByRole('status').filter({ hasText: '1 événement rattrapé' }).waitFor();
    await create(later);
    await page.locator('.entry').filter({ hasText: later }).waitFor();
    assert.deepEqual((await page.locator('.entry__detail').allTextContents()).map((text) => text.split(' · ')[0]), [later, during, before]);
    assert.equal(await page.locator('.entry__late').count(), 1);
    assert.equal(await page.locator('#resumes').textContent(), '1');
    assert.ok(!(await page.locator('#banner').isVisible()));
    assert.deepEqual(complaints, []);
    await close();
});

test('looking at another company and back resumes where this one was left', { timeout: 60_000 }, async () => {
    const { page, close } = await open('1-dirigeant');
    await pillSays(page, 'En direct');
    await page.locator('[data-id="2-dirigeant"]').click();
    await page.locator('#rooms').filter({ hasText: 'company:2' }).waitFor();
    await demo.sql(`INSERT INTO clients (company_id, name, type) VALUES (1, 'Pendant une visite', 'particulier')`);
    await demo.sql(`INSERT INTO clients (company_id, name, type) VALUES (2, 'Client de Morvan', 'particulier')`);
    await page.locator('.entry').filter({ hasText: 'Client de Morvan' }).waitFor();
    assert.equal(await page.locator('.entry').count(), 1);
    await page.locator('[data-id="1-dirigeant"]').click();
    await page.locator('.entry').filter({ hasText: 'Pendant une visite' }).waitFor();
    assert.equal(await page.locator('.entry').filter({ hasText: 'Client de Morvan' }).count(), 0);
    await close();
});

test('a token that is refused ends in « Session expirée », and a good one in « En direct »', { timeout: 60_000 }, async () => {
    const { page, close } = await open('1-dirigeant');
    await pillSays(page, 'En direct');
    const refused = await page.evaluate(async () => (await fetch('tokens.json')).json());
    for (const person of refused.people) person.token = `${person.token.slice(0, -8)}AAAAAAAA`;
    await page.route('**/tokens.json', (route) => route.fulfill({ json: refused }));
    await page.reload();
    await pillSays(page, 'Session expirée');
    await screenshot(page, 'expired-1280');
    await page.unroute('**/tokens.json');
    await page.getByRole('button', { name: 'Réessayer' }).click();
    await pillSays(page, 'En direct');
    await close();
});

test('a demo that was killed is recovered by the next start; the page comes back by itself and misses nothing', { timeout: 120_000 }, async () => {
    const { page, close } = await open('1-dirigeant');
    await pillSays(page, 'En direct');
    await page.evaluate(() => {
        const pill = /** @type {HTMLElement} */ (document.getElementById('pill'));
        const said = /** @type {string[]} */ ((/** @type {any} */ (window)).said = []);
        new MutationObserver(() => said.push((pill.textContent ?? '').trim())).observe(pill, { subtree: true, childList: true, characterData: true });
    });
    const { id, client } = await demo.openQuote(1);

    assert.equal(await demo.stop('SIGKILL'), 'SIGKILL');
    assert.notDeepEqual(demo.leftovers(), [], 'nobody could clean up');
    await demo.start();
    await demo.sql(`UPDATE devis SET status = 'signed' WHERE id = ${id}`);
    await signedLines(page, client).waitFor({ timeout: 40_000 });
    await pillSays(page, 'En direct');
    assert.equal(await signedLines(page, client).count(), 1);
    const said = await page.evaluate(() => /** @type {string[]} */ ((/** @type {any} */ (window)).said));
    assert.ok(said.some((text) => /^Reconnexion dans \d+\ss$/.test(text)), said.join(' | '));
    await close();
});

test('Ctrl-C stops all of it and leaves nothing running', { timeout: 60_000 }, async () => {
    assert.equal(await demo.stop('SIGINT'), 0);
    assert.deepEqual(demo.leftovers(), []);
    const refused = await new Promise((resolve) => {
        const socket = net.connect(demo.port, '127.0.0.1', () => resolve(false));
        socket.once('error', () => resolve(true));
    });
    assert.equal(refused, true, 'the port is free again');
    await assert.rejects(demo.sql('SELECT 1'), /no demo is running/);
});
