/** What the page says, in French: events, amounts, durations, times, the state of the connection. */

/**
 * @typedef {'good' | 'bad' | 'wait' | 'plain'} Tone
 * How an event reads: « Devis refusé — Dupont », then what else there is to say.
 * @typedef {{ family: string, icon: string, tone: Tone, title: string, who: string, more: string, amount: string }} Line
 * @typedef {import('../vigie-client.js').VigieEvent} VigieEvent
 * @typedef {import('../vigie-client.js').State} State
 */

const NBSP = '\u00a0';

/** The filters of the feed, by the first word of an event's name. */
export const FAMILIES = Object.freeze({
  devis: 'Devis',
  facture: 'Factures',
  intervention: 'Interventions',
  client: 'Clients',
  message: 'Messages',
});

const euro = new Intl.NumberFormat('fr-FR', { style: 'currency', currency: 'EUR' });
const wholeEuro = new Intl.NumberFormat('fr-FR', { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 });
const number = new Intl.NumberFormat('fr-FR');
const clock = new Intl.DateTimeFormat('fr-FR', { hour: '2-digit', minute: '2-digit' });
const relative = new Intl.RelativeTimeFormat('fr', { numeric: 'auto', style: 'short' });

/** @param {unknown} value a number, or a string for what JSON cannot hold exactly */
export const amount = (value) => (value === null || value === undefined ? '' : euro.format(Number(value)));

/** @param {number} value */
export const roundAmount = (value) => wholeEuro.format(value);

/** @param {number} value */
export const count = (value) => number.format(value);

/** @param {number} ms */
export const timeOfDay = (ms) => clock.format(ms);

/** @param {unknown} minutes */
export function duration(minutes) {
  const total = Math.round(Number(minutes));
  if (minutes === null || minutes === undefined || !Number.isFinite(total)) return '';
  const [hours, rest] = [Math.floor(total / 60), total % 60];
  if (hours === 0) return `${rest}${NBSP}min`;
  return rest === 0 ? `${hours}${NBSP}h` : `${hours}${NBSP}h${NBSP}${String(rest).padStart(2, '0')}`;
}

/** @param {number} ms how long ago */
export function ago(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 3) return 'à l’instant';
  if (seconds < 60) return relative.format(-seconds, 'second');
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), 'minute');
  if (seconds < 86_400) return relative.format(-Math.floor(seconds / 3600), 'hour');
  return relative.format(-Math.floor(seconds / 86_400), 'day');
}

/**
 * PostgreSQL's time with its microseconds, in milliseconds.
 * @param {string} at
 */
export function instant(at) {
  const micros = /\.\d{3}(\d{3})Z$/.exec(at);
  return Date.parse(at) + (micros ? Number(micros[1]) / 1000 : 0);
}

/** @param {number} ms */
export function latency(ms) {
  if (ms < -2) return 'horloges décalées';
  return ms < 1 ? `<${NBSP}1${NBSP}ms` : `${count(Math.round(ms))}${NBSP}ms`;
}

/**
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n < 2 ? one : many}`;

/** @typedef {{ icon: string, tone: Tone, title: string, who?: string, more?: string, amount?: unknown }} Reading */

/** @type {Record<string, (data: any) => Reading>} */
const READINGS = {
  'devis:created': (data) => ({
    icon: 'document',
    tone: 'plain',
    title: 'Nouveau devis',
    who: data.clientName,
    amount: data.amount,
  }),
  'devis:signed': (data) => ({ icon: 'signature', tone: 'good', title: 'Devis signé', who: data.clientName }),
  'devis:rejected': (data) => ({
    icon: 'cross',
    tone: 'bad',
    title: 'Devis refusé',
    who: data.clientName,
    more: data.reason && `«${NBSP}${data.reason}${NBSP}»`,
  }),
  'facture:created': (data) => ({
    icon: 'invoice',
    tone: 'plain',
    title: 'Nouvelle facture',
    who: data.clientName,
    amount: data.amount,
  }),
  'facture:paid': (data) => ({
    icon: 'euro',
    tone: 'good',
    title: 'Facture payée',
    who: data.clientName,
    amount: data.amount,
  }),
  'intervention:started': (data) => ({
    icon: 'tool',
    tone: 'wait',
    title: 'Intervention commencée',
    who: data.assignee,
    more: data.address,
  }),
  'intervention:completed': (data) => ({
    icon: 'check',
    tone: 'good',
    title: 'Intervention terminée',
    who: duration(data.duration),
    more: data.address,
  }),
  'client:created': (data) => ({
    icon: 'person',
    tone: 'plain',
    title: 'Nouveau client',
    who: data.name,
    more: CLIENT_TYPES[data.type] ?? data.type,
  }),
  'message:received': (data) => ({
    icon: 'bubble',
    tone: 'plain',
    title: 'Nouveau message',
    who: data.clientName,
  }),
};

/** @type {Record<string, string>} */
const CLIENT_TYPES = { collectivite: 'collectivité' };

/**
 * An event in words; one that nobody taught this page shows its name.
 * @param {VigieEvent} event
 * @returns {Line}
 */
export function line(event) {
  /** @type {Reading} */
  const reading = READINGS[event.event]?.(event.data ?? {}) ?? { icon: 'document', tone: 'plain', title: event.event };
  return {
    family: event.event.split(':')[0],
    icon: reading.icon,
    tone: reading.tone,
    title: reading.title,
    who: reading.who ?? '',
    more: reading.more ?? '',
    amount: amount(reading.amount),
  };
}

/** @param {Line} shown « Devis signé — Dupont » */
export const headline = ({ title, who }) => (who ? `${title} — ${who}` : title);

/** @param {Line} shown */
export const detail = ({ who, more }) => [who, more].filter(Boolean).join(' · ');

/** @type {Record<string, string>} */
const GAPS = {
  retention: 'ils étaient trop anciens pour être conservés',
  overflow: 'ils étaient trop nombreux d’un coup',
  epoch: 'la base a été restaurée entre-temps',
  cursor: 'le repère de reprise n’est pas lisible',
};

/** @param {string} reason */
export const gap = (reason) =>
  `Des événements n’ont pas pu être rattrapés : ${GAPS[reason] ?? reason}. ` +
  'Un vrai tableau de bord relit ici ses données, puis continue.';

/** @type {Record<string, string>} */
const STOPS = {
  unauthorized: 'Session expirée',
  token_expired: 'Session expirée',
  forbidden: 'Accès refusé',
  replaced: 'Ouvert ailleurs',
};

/**
 * The pill: what the connection does, in two or three words.
 * @param {State} state
 * @param {{ now: number, onLine: boolean }} world
 * @returns {{ text: string, tone: 'good' | 'wait' | 'bad' | 'off' }}
 */
export function pill(state, { now, onLine }) {
  switch (state.status) {
    case 'online':
      return { text: 'En direct', tone: 'good' };
    case 'connecting':
      return { text: 'Connexion…', tone: 'wait' };
    case 'waiting': {
      if (!onLine) return { text: 'Hors ligne', tone: 'off' };
      const seconds = Math.max(1, Math.ceil(((state.retryAt ?? now) - now) / 1000));
      return { text: `Reconnexion dans ${seconds}${NBSP}s`, tone: 'wait' };
    }
    case 'stopped':
      return { text: STOPS[state.reason ?? ''] ?? 'Erreur de liaison', tone: 'bad' };
    case 'idle':
      return { text: 'Hors ligne', tone: 'off' };
  }
}
