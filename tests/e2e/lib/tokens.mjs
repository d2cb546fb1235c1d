/** Tokens, honest and malicious, made with nothing but node:crypto. */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** Every token and key of this process: none may be found in a log. */
export const secrets = new Set();

/** @param {string} text */
export function remember(text) {
    if (text.length >= 16 && text.length < 20_000) secrets.add(text);
    return text;
}

/** @param {string | Buffer} data */
export const base64url = (data) => Buffer.from(data).toString('base64url');

const HASH = /** @type {Record<string, string>} */ ({ 256: 'sha256', 384: 'sha384', 512: 'sha512' });
const CURVE = /** @type {Record<string, string>} */ ({ ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' });

/**
 * @typedef {object} Key
 * @property {string} alg
 * @property {crypto.KeyObject} sign
 * @property {string | Buffer} file what the bridge is given: secret or public PEM
 * @property {string} [kid]
 */

/**
 * @param {string} alg
 * @param {{kid?: string, modulusLength?: number, bytes?: number}} [options]
 * @returns {Key}
 */
export function makeKey(alg, { kid, modulusLength = 2048, bytes } = {}) {
    if (alg.startsWith('HS')) {
        const secret = crypto.randomBytes(bytes ?? Number(alg.slice(2)) / 8);
        return { alg, kid, sign: crypto.createSecretKey(secret), file: remember(`base64:${secret.toString('base64')}`) };
    }
    const { privateKey, publicKey } = alg.startsWith('RS') || alg.startsWith('PS')
        ? crypto.generateKeyPairSync('rsa', { modulusLength })
        : crypto.generateKeyPairSync('ec', { namedCurve: CURVE[alg] });
    return { alg, kid, sign: privateKey, file: publicKey.export({ type: 'spki', format: 'pem' }) };
}

/**
 * Signs as the algorithm says, with whatever key is given.
 * @param {string} alg
 * @param {crypto.KeyObject} key
 * @param {string} input
 */
export function signature(alg, key, input) {
    const hash = HASH[alg.slice(2)];
    switch (alg.slice(0, 2).toUpperCase()) {
        case 'HS':
            return crypto.createHmac(hash, key).update(input).digest();
        case 'RS':
            return crypto.sign(hash, Buffer.from(input), key);
        case 'PS':
            return crypto.sign(hash, Buffer.from(input), { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
                                                           saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST });
        case 'ES':
            return crypto.sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
        default:
            throw new Error(`no such algorithm: ${alg}`);
    }
}

/** Seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);

/**
 * An issuer with one key; `mint` makes its tokens.
 */
export class Issuer {
    /**
     * @param {{name: string, key: Key, iss?: string, aud?: string, companies?: string[],
     *         claims?: Record<string, string>, extra?: Record<string, unknown>}} options
     */
    constructor({ name, key, iss = `https://${name}.example.fr/`, aud = 'vigie', companies = ['*'], claims, extra = {} }) {
        this.name = name;
        this.key = key;
        this.iss = iss;
        this.aud = aud;
        this.companies = companies;
        this.claimNames = { company: 'company', user: 'sub', role: 'role', ...claims };
        this.hasClaimNames = claims !== undefined;
        this.extra = extra;
    }

    /** Writes the key file and returns the issuer's part of the configuration. @param {string} folder */
    config(folder) {
        const file = path.join(folder, `${this.name}.key`);
        fs.writeFileSync(file, this.key.file, { mode: 0o600 });
        return {
            name: this.name,
            iss: this.iss,
            aud: this.aud,
            algorithm: this.key.alg,
            key_file: file,
            ...(this.key.kid ? { kid: this.key.kid } : {}),
            ...(this.hasClaimNames ? { claims: this.claimNames } : {}),
            companies: this.companies,
            ...this.extra,
        };
    }

    /** Claims of an honest token. @param {{company: string, user: string, role?: unknown, ttl?: number}} who */
    claims({ company, user, role, ttl = 900 }) {
        return {
            iss: this.iss,
            aud: this.aud,
            iat: now(),
            exp: now() + ttl,
            jti: crypto.randomUUID(),
            [this.claimNames.company]: company,
            [this.claimNames.user]: user,
            ...(role === undefined ? {} : { [this.claimNames.role]: role }),
        };
    }

    /**
     * An honest token, but for what `claims` and `header` change (undefined: leave out).
     * @param {{company: string, user: string, role?: unknown, ttl?: number,
     *         claims?: Record<string, unknown>, header?: Record<string, unknown>}} who
     */
    mint({ claims = {}, header = {}, ...who }) {
        return assemble({
            header: { alg: this.key.alg, typ: 'JWT', ...(this.key.kid ? { kid: this.key.kid } : {}), ...header },
            payload: { ...this.claims(who), ...claims },
            sign: (input) => signature(this.key.alg, this.key.sign, input),
        });
    }

    /** Signs two segments given as text, so that a test can write any JSON, or none. */
    /** @param {string | Buffer} header @param {string | Buffer} payload */
    signText(header, payload) {
        const input = `${base64url(header)}.${base64url(payload)}`;
        return remember(`${input}.${base64url(signature(this.key.alg, this.key.sign, input))}`);
    }
}

/**
 * @param {{header: object, payload: object, sign: (input: string) => Buffer}} parts
 */
export function assemble({ header, payload, sign }) {
    const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(payload))}`;
    return remember(`${input}.${base64url(sign(input))}`);
}

/**
 * What of the secrets a text gives away: the first stretch of 16 characters that is part of one.
 * @param {string} text
 */
export function leakedSecret(text) {
    const known = new Set();
    for (const secret of secrets)
        for (let i = 0; i + 16 <= secret.length; i++) known.add(secret.slice(i, i + 16));
    for (const [run] of text.matchAll(/[A-Za-z0-9_+/=.:-]{16,}/g))
        for (let i = 0; i + 16 <= run.length; i++)
            if (known.has(run.slice(i, i + 16))) return run.slice(i, i + 16);
    return null;
}
