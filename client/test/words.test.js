import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as words from '../demo/words.js';

/** Intl separates with several kinds of space. @param {string} text */
const spaced = (text) => text.replace(/[\u00a0\u202f]/g, ' ');
const line = (event, data) => words.line({ event, data, room: 'company:1', cursor: 'c', at: '' });

test('each of the nine events that ship is said in French', () => {
  for (const [event, data, headline, detail] of [
    ['devis:created', { id: 1, clientName: 'Dupont', amount: 1250.5 }, 'Nouveau devis — Dupont', 'Dupont'],
    ['devis:signed', { id: 1, clientName: 'Dupont' }, 'Devis signé — Dupont', 'Dupont'],
    ['devis:rejected', { id: 1, clientName: 'Dupont', reason: 'Trop cher' }, 'Devis refusé — Dupont', 'Dupont · « Trop cher »'],
    ['facture:created', { id: 1, clientName: 'Dupont', amount: 10 }, 'Nouvelle facture — Dupont', 'Dupont'],
    ['facture:paid', { id: 1, clientName: 'Dupont', amount: 10 }, 'Facture payée — Dupont', 'Dupont'],
    ['intervention:started', { id: 1, address: '3 rue des Lilas', assignee: 'Karim' }, 'Intervention commencée — Karim', 'Karim · 3 rue des Lilas'],
    ['intervention:completed', { id: 1, address: '3 rue des Lilas', duration: 95 }, 'Intervention terminée — 1 h 35', '1 h 35 · 3 rue des Lilas'],
    ['client:created', { id: 1, name: 'Nantes', type: 'collectivite' }, 'Nouveau client — Nantes', 'Nantes · collectivité'],
    ['message:received', { id: 1, conversationId: 4, clientName: 'Dupont' }, 'Nouveau message — Dupont', 'Dupont'],
  ]) {
    const shown = line(event, data);
    assert.equal(spaced(words.headline(shown)), headline);
    assert.equal(spaced(words.detail(shown)), detail);
    assert.ok(shown.family in words.FAMILIES, `${event} has a filter`);
  }
});

test('what is null in the database is left out, not printed', () => {
  assert.equal(words.detail(line('intervention:started', { id: 1, address: '3 rue des Lilas', assignee: null })), '3 rue des Lilas');
  assert.equal(words.headline(line('devis:rejected', { id: 1, clientName: null, reason: null })), 'Devis refusé');
  assert.equal(words.detail(line('intervention:completed', { id: 1, address: 'ici', duration: null })), 'ici');
  assert.equal(line('facture:paid', { id: 1, clientName: 'x', amount: null }).amount, '');
});

test('an event that nobody taught the page shows its name', () => {
  assert.equal(words.headline(line('stock:low', { id: 1 })), 'stock:low');
  assert.equal(words.headline(line('stock:low', null)), 'stock:low');
});

test('amounts are euros, from numbers and from exact strings', () => {
  assert.equal(spaced(words.amount(1250.5)), '1 250,50 €');
  assert.equal(spaced(words.amount('99999.99')), '99 999,99 €');
  assert.equal(words.amount(undefined), '');
});

test('durations are minutes, then hours', () => {
  assert.deepEqual([0, 45, 60, 65, 125].map((minutes) => spaced(words.duration(minutes))), ['0 min', '45 min', '1 h', '1 h 05', '2 h 05']);
});

test('time goes by in seconds, minutes, hours, days', () => {
  assert.equal(words.ago(900), 'à l’instant');
  assert.equal(words.ago(-5_000), 'à l’instant');
  assert.match(spaced(words.ago(12_000)), /^il y a 12 s/);
  assert.match(spaced(words.ago(119_000)), /^il y a 1 min/);
  assert.match(spaced(words.ago(2 * 3_600_000)), /^il y a 2 h/);
  assert.equal(words.ago(25 * 3_600_000), 'hier');
});

test('the microseconds of the database count', () => {
  assert.ok(Math.abs(words.instant('2026-11-21T06:12:07.123456Z') - Date.UTC(2026, 10, 21, 6, 12, 7, 123) - 0.456) < 1e-3);
  assert.equal(words.instant('2026-11-21T06:12:07Z'), Date.UTC(2026, 10, 21, 6, 12, 7));
});

test('a latency that clocks make impossible says so', () => {
  assert.equal(spaced(words.latency(0.2)), '< 1 ms');
  assert.equal(spaced(words.latency(-1)), '< 1 ms');
  assert.equal(spaced(words.latency(12.6)), '13 ms');
  assert.equal(words.latency(-40), 'horloges décalées');
});

test('one and none are singular', () => {
  assert.deepEqual([0, 1, 2].map((n) => words.plural(n, 'nouveauté')), ['0 nouveauté', '1 nouveauté', '2 nouveautés']);
});

const state = (status, more = {}) => ({ status, attempt: 1, retryAt: null, reason: null, resumed: false, ...more });
const world = { now: 1000, onLine: true };

test('the pill says what the connection does', () => {
  for (const [given, where, text, tone] of [
    [state('online'), world, 'En direct', 'good'],
    [state('connecting'), world, 'Connexion…', 'wait'],
    [state('waiting', { retryAt: 4_200 }), world, 'Reconnexion dans 4 s', 'wait'],
    [state('waiting', { retryAt: 900 }), world, 'Reconnexion dans 1 s', 'wait'],
    [state('waiting', { retryAt: 4_200 }), { ...world, onLine: false }, 'Hors ligne', 'off'],
    [state('idle'), world, 'Hors ligne', 'off'],
    [state('stopped', { reason: 'token_expired' }), world, 'Session expirée', 'bad'],
    [state('stopped', { reason: 'unauthorized' }), world, 'Session expirée', 'bad'],
    [state('stopped', { reason: 'forbidden' }), world, 'Accès refusé', 'bad'],
    [state('stopped', { reason: 'replaced' }), world, 'Ouvert ailleurs', 'bad'],
    [state('stopped', { reason: 'protocol' }), world, 'Erreur de liaison', 'bad'],
  ])
    assert.deepEqual({ ...words.pill(given, where), text: spaced(words.pill(given, where).text) }, { text, tone });
});

test('every reason of a gap is explained', () => {
  for (const reason of ['retention', 'overflow', 'epoch', 'cursor']) assert.doesNotMatch(words.gap(reason), new RegExp(`: ${reason}\\.`));
  assert.match(words.gap('unheard-of'), /unheard-of/);
});
