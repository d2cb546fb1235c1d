/**
 * docs/operations.md says what the bridge says: each metric, log line, reason, exit code and option in
 * it exists, and none is missing. Read at three in the morning it must not be wrong.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { BINARY, Bridge, cleanEnvironment } from './lib/bridge.mjs';
import { ROOT } from './lib/cluster.mjs';
import { Issuer, makeKey } from './lib/tokens.mjs';

const page = fs.readFileSync(path.join(ROOT, 'docs/operations.md'), 'utf8');

/** The text under a heading, up to the next one of its level or above. @param {string} title */
function section(title) {
    const lines = page.split('\n');
    const start = lines.findIndex((line) => /^#{2,3} /.test(line) && line.replace(/^#+ /, '') === title);
    assert.notEqual(start, -1, `no heading ${title}`);
    const level = /^#+/.exec(lines[start])?.[0].length ?? 2;
    const rest = lines.slice(start + 1);
    const end = rest.findIndex((line) => new RegExp(`^#{2,${level}} `).test(line));
    return rest.slice(0, end < 0 ? rest.length : end).join('\n');
}

/** Rows of the tables in a text whose first cell is code: that code, and the other cells. @param {string} text */
function rows(text) {
    return text.split('\n')
        .map((line) => /^\| `([^`]+)` \|(.*)\|$/.exec(line))
        .filter((match) => match !== null)
        .map(([, name, rest]) => ({ name, cells: rest.split('|').map((cell) => cell.trim()) }));
}

/** @param {string} title */
const names = (title) => rows(section(title)).map((row) => row.name);

/** All that is given here is there, once, and nothing else. @param {string[]} documented @param {Iterable<string>} real */
function same(documented, real) {
    assert.deepEqual([...documented].sort(), [...new Set(real)].sort());
}

/** The sources of the bridge, as one text. */
function sources() {
    const folder = path.join(ROOT, 'bridge');
    return fs.readdirSync(folder, { recursive: true })
        .map(String)
        .filter((file) => file.endsWith('.c'))
        .map((file) => fs.readFileSync(path.join(folder, file), 'utf8'))
        .join('\n');
}

/** @param {string} text @param {RegExp} pattern */
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);

describe('the page for operators', () => {
    /** @type {Bridge} */
    let bridge;
    let metrics = '';

    before(async () => {
        // A database is not needed: every metric is registered before one is dialled.
        bridge = await Bridge.start({
            database: { url: () => 'postgresql://vigie_bridge@/app?host=/nowhere' },
            issuers: [new Issuer({ name: 'main', key: makeKey('HS256') })],
            awaitReady: false,
        });
        metrics = (await bridge.admin('/metrics')).body;
    });
    after(() => bridge.stop());

    /** Values of one label of one metric. @param {string} metric */
    const values = (metric) => all(metrics, new RegExp(`^${metric}\\{[a-z]+="([^"]*)"\\}`, 'gm'));

    test('lists every metric that is exported, and no other, with its type', () => {
        const documented = rows(section('Metrics')).map((row) => `${row.name} ${row.cells[0]}`);
        same(documented, all(metrics, /^# TYPE (.+)$/gm));
    });

    test('names the labels of each metric', () => {
        for (const { name, cells } of rows(section('Metrics'))) {
            const label = new RegExp(`^${name}(?:_bucket)?\\{([a-z]+)=`, 'm').exec(metrics)?.[1];
            assert.equal(cells[1], label ? `\`${label}\`` : '', name);
        }
    });

    test('lists every event of the log, and no other, with its level', () => {
        const code = sources();
        const level = /** @type {Record<string, string>} */ ({});
        for (const [, kind, event] of code.matchAll(/\blog_(error|warn|info|debug)\(\s*"([a-z_]+)"/g)) level[event] ??= kind;
        for (const event of all(code, /\bLOG_LINE\(SESSION_LOG\(session\),\s*"([a-z_]+)"/g)) level[event] = 'info';
        for (const event of all(code, /\blog_lines\(\s*"([a-z_]+)"/g)) level[event] = 'error';
        for (const event of all(code, /\blog_down\([^;"]*"([a-z_]+)"/g)) level[event] = 'warn';
        for (const [, kind, event] of code.matchAll(/"level=([a-z]+) event=([a-z_]+)/g)) level[event] = kind;
        same(rows(section('Log')).map((row) => `${row.name} ${row.cells[0]}`),
            Object.entries(level).map(([event, kind]) => `${event} ${kind}`));
    });

    test('knows each reason why a token is refused', () => {
        same(names('Refused tokens'), values('vigie_auth_attempts_total').filter((reason) => reason !== 'ok'));
    });

    test('knows each reason why the database is down', () => {
        const reasons = fs.readFileSync(path.join(ROOT, 'bridge/pg/reason.c'), 'utf8');
        same(names('The database is not there'), all(reasons, /case REASON_[A-Z_]+:\s+return "([a-z_]+)";/g));
    });

    test('names each reason for which connections, handshakes and sessions are refused', () => {
        const table = rows(section('Metrics'));
        for (const metric of ['vigie_connections_rejected_total', 'vigie_handshakes_refused_total', 'vigie_limits_hit_total', 'vigie_sessions']) {
            const meaning = table.find((row) => row.name === metric)?.cells[2] ?? '';
            for (const value of values(metric).filter((one) => one !== 'ok')) assert.ok(meaning.includes(`\`${value}\``), `${metric}: ${value}`);
        }
    });

    test('knows every exit code', () => {
        const codes = fs.readFileSync(path.join(ROOT, 'bridge/app/app.h'), 'utf8');
        same(names('Exit codes'), all(codes, /^ +APP_[A-Z_]+ = (\d+),$/gm));
    });

    test('knows the fields of /readyz', async () => {
        const { status, body } = await bridge.admin('/readyz');
        assert.equal(status, 503);
        same(rows(section('Health')).map((row) => row.name).filter((name) => !name.startsWith('/')), Object.keys(JSON.parse(body)));
    });

    describe('against --print-options', () => {
        const reference = execFileSync(BINARY, ['--print-options'], { encoding: 'utf8', env: cleanEnvironment() });
        const options = [...reference.matchAll(/^### (\S+)\n\n.*\n.*\n\|.*\| (yes|no) \| [^|]+ \|$/gm)]
            .map(([, name, reloadable]) => ({ name, reloadable: reloadable === 'yes' }));

        test('names only options that exist', () => {
            const known = new Set(options.map((option) => option.name));
            const sections = new Set(options.map((option) => option.name.replace(/\..*/, '')));
            const named = all(page, /`([a-z]+(?:\[\])?(?:\.[a-z_]+)+)`/g)
                .filter((name) => sections.has(name.replace(/\..*/, '')) && !name.endsWith('.yaml'));
            assert.ok(named.length > 20, `${named.length}`);
            for (const name of named) assert.ok(known.has(name), name);
        });

        test('lists exactly the options that a reload refuses', () => {
            const listed = all(section('Reload').split('\n').filter((line) => line.startsWith('| `')).join('\n'), /`([^`]+)`/g);
            const covers = (/** @type {string} */ pattern, /** @type {string} */ name) =>
                pattern.endsWith('.*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
            for (const { name, reloadable } of options)
                assert.equal(listed.some((pattern) => covers(pattern, name)), !reloadable, name);
            for (const pattern of listed) assert.ok(options.some(({ name }) => covers(pattern, name)), pattern);
        });
    });

    test('links to pages and headings that exist', () => {
        const slug = (/** @type {string} */ title) => title.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
        const headings = new Set(all(page, /^#+ (.+)$/gm).map(slug));
        for (const target of all(page, /\]\(([^)]+)\)/g)) {
            const [file, heading] = target.split('#');
            if (file) assert.ok(fs.existsSync(path.join(ROOT, 'docs', file)), target);
            else assert.ok(headings.has(heading), target);
        }
    });
});
