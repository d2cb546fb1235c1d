/** docs/asyncapi.yaml, and what of a running bridge is held against it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { Ajv } from 'ajv';
import { parse } from 'yaml';

import { ROOT } from './cluster.mjs';

/** The document as it is written. */
export const readDocument = () => parse(fs.readFileSync(path.join(ROOT, 'docs/asyncapi.yaml'), 'utf8'));

/** What `#/a/b` leads to. @param {any} document @param {string} reference */
export function resolve(document, reference) {
    assert.match(reference, /^#\//, 'references stay within the document');
    let at = document;
    for (const part of reference.slice(2).split('/')) {
        at = at?.[part.replaceAll('~1', '/').replaceAll('~0', '~')];
        assert.notEqual(at, undefined, `${reference} leads nowhere`);
    }
    return at;
}

/** The same with what each $ref leads to in its place. @param {any} document @param {any} node @returns {any} */
export function expand(document, node = document) {
    if (Array.isArray(node)) return node.map((one) => expand(document, one));
    if (node === null || typeof node !== 'object') return node;
    if (typeof node.$ref === 'string') return expand(document, resolve(document, node.$ref));
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, expand(document, value)]));
}

/** Strict, so that a keyword that is misspelled is an error and not a gap. */
const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: true, strictTuples: false, allErrors: true });

/**
 * @param {any} schema
 * @returns {(value: unknown) => string} what is wrong with it, or ''
 */
export function judge(schema) {
    const validate = ajv.compile(schema);
    return (value) => (validate(value) ? '' : ajv.errorsText(validate.errors, { dataVar: '' }));
}

/**
 * Everything that a schema of an object (or of an array of fixed places) promises, as paths: each
 * member, and for each that is optional also its absence.
 * @param {any} schema @param {string} at @returns {string[]}
 */
export function promises(schema, at = '') {
    const found = [];
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
        found.push(`${at}.${name}`, ...promises(member, `${at}.${name}`));
        if (!schema.required?.includes(name)) found.push(`no ${at}.${name}`);
    }
    if (Array.isArray(schema.items))
        schema.items.forEach((/** @type {any} */ item, /** @type {number} */ n) => found.push(...promises(item, `${at}.${n}`)));
    else if (schema.type === 'array' && schema.items) found.push(...promises(schema.items, `${at}.*`));
    for (const choice of schema.oneOf ?? []) found.push(...promises(choice, at));
    return found;
}

/** What of that a value keeps. @param {any} schema @param {any} value @param {string} at @returns {string[]} */
export function kept(schema, value, at = '') {
    const found = [];
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
        if (value?.[name] === undefined) found.push(`no ${at}.${name}`);
        else found.push(`${at}.${name}`, ...kept(member, value[name], `${at}.${name}`));
    }
    if (Array.isArray(schema.items))
        schema.items.forEach((/** @type {any} */ item, /** @type {number} */ n) => found.push(...kept(item, value[n], `${at}.${n}`)));
    else if (schema.type === 'array' && schema.items)
        for (const one of value) found.push(...kept(schema.items, one, `${at}.*`));
    for (const choice of schema.oneOf ?? []) if (judge(choice)(value) === '') found.push(...kept(choice, value, at));
    return found;
}

/** What a bridge said, held against the messages of the document, whichever of them is meant. */
export class Record {
    /** @param {any} document @param {string[]} names of the messages that are expected */
    constructor(document, names) {
        this.messages = new Map(names.map((name) => {
            const payload = expand(document, resolve(document, `#/components/messages/${name}/payload`));
            return [name, { payload, judge: judge(payload), seen: /** @type {any[]} */ ([]) }];
        }));
    }

    /** @param {string} name @param {any} value */
    take(name, value) {
        const message = this.messages.get(name);
        assert.ok(message, `the document knows no ${name}: ${JSON.stringify(value)}`);
        assert.equal(message.judge(value), '', `${name}: ${JSON.stringify(value)}`);
        message.seen.push(value);
    }

    /** The document promises nothing that was not seen, of any message. @param {string[]} [besides] what only other bridges show */
    assertComplete(besides = []) {
        const missing = [];
        for (const [name, { payload, seen }] of this.messages) {
            if (seen.length === 0) missing.push(name);
            const shown = new Set(seen.flatMap((value) => kept(payload, value)));
            missing.push(...promises(payload).filter((one) => !shown.has(one)).map((one) => `${name}: ${one}`));
        }
        assert.deepEqual(missing.filter((one) => !besides.includes(one)), [], 'promised by the document, and never seen');
    }

    /** No message holds without a member that the document requires, nor with one that it does not know. */
    assertTight() {
        for (const [name, { payload, judge: verdict, seen }] of this.messages)
            for (const [what, changed] of changes(payload, seen[0])) assert.notEqual(verdict(changed), '', `${name} holds ${what}`);
    }
}

/** Each way to spoil a value a little, at any depth. @param {any} schema @param {any} value @returns {[what: string, value: any][]} */
function changes(schema, value) {
    if (Array.isArray(schema.items))
        return [
            ['with one place less', value.slice(0, -1)], ['with one place more', [...value, 'x']],
            ...schema.items.flatMap((/** @type {any} */ item, /** @type {number} */ n) => changes(item, value[n]).map(([what, changed]) =>
                [`${what} in ${n}`, value.map((/** @type {any} */ one, /** @type {number} */ at) => (at === n ? changed : one))])),
        ];
    if (!schema.properties) return [['as another kind', Array.isArray(value) ? 'x' : [value]]];
    return [
        ['with a member from nowhere', { ...value, nobody: 1 }],
        ...(schema.required ?? []).map((/** @type {string} */ name) =>
            [`without ${name}`, Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))]),
        ...Object.entries(schema.properties).filter(([name]) => value[name] !== undefined).flatMap(([name, member]) =>
            changes(member, value[name]).map(([what, changed]) => [`${what} in ${name}`, { ...value, [name]: changed }])),
    ];
}

/**
 * An example as a client would say it: with a token and a cursor in the places of theirs.
 * @param {any} example @param {{TOKEN: string, CURSOR: string}} values
 */
export const fill = (example, values) => JSON.parse(JSON.stringify(example)
    .replaceAll(/\b(TOKEN|CURSOR)\b/g, (name) => values[/** @type {keyof typeof values} */ (name)]));
