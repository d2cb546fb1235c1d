/** The demonstration: one dashboard per person, over the native door. No framework, no build. */
import { VigieClient } from '../vigie-client.js';
import * as words from './words.js';

/**
 * @typedef {import('../vigie-client.js').VigieEvent} VigieEvent
 * @typedef {object} Person
 * @property {string} id
 * @property {string} company
 * @property {string} companyName
 * @property {string} user
 * @property {string} role
 * @property {string} token
 * @typedef {{ company: string, what: string, text: string }} Command
 * @typedef {{ people: Person[], commands: Command[] }} Demo
 * @typedef {{ key: string, at: number, late: boolean, shown: words.Line }} Entry
 */

const FEED_MAX = 200;
const TOAST_MS = 6_000;
const TOASTS_MAX = 3;
const BANNER_AFTER_MS = 5_000;
const CATCH_UP_MS = 700;
const CUT_MS = 8_000;
const LATENCIES_MAX = 1_000;

/** 24×24 line drawings, one path each. */
const ICONS = {
  document: 'M7 3h7l4 4v14H7zM14 3v4h4M10 12h5M10 16h5',
  signature: 'M4 20h16M5 16l10-10 3 3L8 19l-4 .5zM13 8l3 3',
  cross: 'M6 6l12 12M18 6 6 18',
  invoice: 'M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6',
  euro: 'M18 6.500A7 7 0 0 0 7.500 9v6A7 7 0 0 0 18 17.500M4 10.500h9M4 13.500h9',
  tool: 'M14.500 6a4.500 4.500 0 0 1 5-1l-3 3 .5 2.500 2.500.5 3-3a4.500 4.500 0 0 1-6 6L9 21a2.100 2.100 0 0 1-3-3l7-7a4.500 4.500 0 0 1 1.500-5z',
  check: 'M5 13l4 4L19 7',
  person: 'M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c.7-4 4-6 8-6s7.300 2 8 6',
  bubble: 'M4 5h16v11H11l-5 4v-4H4z',
  gap: 'M12 4v9M12 17.500v.5M3 20h18L12 3z',
};

/** @param {string} id @returns {any} */
const element = (id) => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no #${id} in the page`);
  return found;
};

/**
 * @param {string} tag
 * @param {string} className
 * @param {(string | Node)[]} children
 */
function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** @param {string} name */
function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[/** @type {keyof typeof ICONS} */ (name)] ?? ICONS.document);
  svg.append(path);
  const box = make('span', 'entry__icon', svg);
  box.setAttribute('aria-hidden', 'true');
  return box;
}

/** @returns {Promise<Demo>} */
async function fetchDemo() {
  const answer = await fetch('tokens.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`tokens.json: ${answer.status}`);
  return answer.json();
}

// ---- toasts ---------------------------------------------------------------------------------

/** The newest few; earlier ones that were pushed out are counted, and all are in the feed anyway. */
const toasts = {
  box: element('toasts'),
  earlier: make('p', 'toasts__earlier'),
  /** @type {Map<HTMLElement, any>} toast -> its timer, oldest first */
  shown: new Map(),
  pushedOut: 0,

  /**
   * @param {string} title
   * @param {string} detail
   * @param {string} tone
   */
  show(title, detail, tone) {
    if (document.visibilityState === 'hidden') return; // a late toast is noise
    const room = matchMedia('(max-width: 30rem)').matches ? 1 : TOASTS_MAX;
    for (const oldest of [...this.shown.keys()].slice(0, Math.max(0, this.shown.size - room + 1))) {
      this.forget(oldest);
      this.pushedOut++;
    }
    const toast = this.make(title, detail, tone);
    this.shown.set(toast, 0);
    this.start(toast);
    this.box.append(toast);
    this.count();
  },

  /**
   * @param {string} title
   * @param {string} detail
   * @param {string} tone
   */
  make(title, detail, tone) {
    const close = make('button', 'toast__close', '×');
    close.setAttribute('type', 'button');
    close.setAttribute('aria-label', 'Fermer la notification');
    const body = make('div', 'toast__body', make('p', 'toast__title', title));
    if (detail) body.append(make('p', 'toast__detail', detail));
    const toast = make('div', 'toast', body, close);
    toast.dataset.tone = tone;
    for (const event of ['pointerenter', 'focusin']) toast.addEventListener(event, () => this.stop(toast));
    for (const event of ['pointerleave', 'focusout']) toast.addEventListener(event, () => this.start(toast));
    close.addEventListener('click', () => this.remove(toast));
    return toast;
  },

  /** @param {HTMLElement} toast */
  start(toast) {
    if (!this.shown.has(toast)) return;
    this.stop(toast);
    this.shown.set(toast, setTimeout(() => this.remove(toast), TOAST_MS));
  },

  /** @param {HTMLElement} toast */
  stop(toast) {
    clearTimeout(this.shown.get(toast));
  },

  /** @param {HTMLElement} toast */
  forget(toast) {
    this.stop(toast);
    this.shown.delete(toast);
    toast.remove();
  },

  /** @param {HTMLElement} toast */
  remove(toast) {
    this.forget(toast);
    if (this.shown.size === 0) this.pushedOut = 0;
    this.count();
  },

  count() {
    this.earlier.textContent = `et ${words.plural(this.pushedOut, 'autre')} juste avant`;
    if (this.pushedOut === 0) this.earlier.remove();
    else if (!this.earlier.isConnected) this.box.prepend(this.earlier);
  },

  clear() {
    for (const toast of [...this.shown.keys()]) this.remove(toast);
  },
};

// ---- what one person has seen ---------------------------------------------------------------

/** Kept while another person is looked at, so that coming back resumes after the last cursor. */
class Board {
  /** @type {string | null} */ cursor = null;
  /** @type {Entry[]} newest first */ entries = [];
  received = 0;
  resumes = 0;
  /** @type {number[]} */ latencies = [];
  figures = { signed: 0, paid: 0, completed: 0, messages: 0 };

  /** @param {Person} person */
  constructor(person) {
    this.person = person;
  }

  /**
   * @param {VigieEvent} event
   * @param {words.Line} shown
   * @param {number} at
   * @param {boolean} late
   */
  add(event, shown, at, late) {
    this.received++;
    this.entries.unshift({ key: event.cursor, at, late, shown });
    this.entries.length = Math.min(this.entries.length, FEED_MAX);
    if (event.event === 'devis:signed') this.figures.signed++;
    if (event.event === 'facture:paid') this.figures.paid += Number(event.data.amount) || 0;
    if (event.event === 'intervention:completed') this.figures.completed++;
    if (event.event === 'message:received') this.figures.messages++;
  }

  /** @param {number} ms */
  measured(ms) {
    this.latencies.push(ms);
    if (this.latencies.length > LATENCIES_MAX) this.latencies.shift();
  }
}

// ---- the page -------------------------------------------------------------------------------

const page = {
  /** @type {Demo} */ demo: { people: [], commands: [] },
  /** @type {Map<string, Board>} */ boards: new Map(),
  /** @type {Board | null} */ board: null,
  /** @type {VigieClient | null} */ client: null,
  /** @type {string} */ family: '',
  unseen: 0,
  /** When the connection was lost, or null. @type {number | null} */ lostAt: null,
  everOnline: false,
  /** Events made before this moment were caught up, not live. */ liveFrom: 0,
  caughtUp: 0,
  /** @type {any} */ catchUpTimer: null,
  /** @type {any} */ cutTimer: null,
};

/** @param {Person} person */
function look(person) {
  stopCut();
  if (page.board && page.client) page.board.cursor = page.client.cursor;
  page.client?.close();
  toasts.clear();
  const board = page.boards.get(person.id) ?? new Board(person);
  page.boards.set(person.id, board);
  page.board = board;
  page.everOnline = false;
  page.lostAt = null;
  page.unseen = 0;
  for (const button of document.querySelectorAll('.person'))
    button.setAttribute('aria-pressed', String(/** @type {HTMLElement} */ (button).dataset.id === person.id));
  element('rooms').replaceChildren('—');
  element('latency').textContent = '—';
  showCommands(person.company);
  showBoard();

  const client = new VigieClient({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`,
    getToken: () => freshToken(person.id),
    cursor: board.cursor,
    onEvent: (event) => onEvent(board, event),
    onGap: ({ reason }) => onGap(board, reason),
    onReady: ({ rooms }) => element('rooms').replaceChildren(...rooms.map((room) => make('span', 'room', room))),
    onState: () => onState(client, board),
    network: window,
    page: document,
  });
  page.client = client;
  client.open();
}

/** @param {string} id */
async function freshToken(id) {
  const { people } = await fetchDemo();
  const person = people.find((candidate) => candidate.id === id);
  if (!person) throw new Error(`no token for ${id} in tokens.json`);
  return person.token;
}

/**
 * @param {Board} board
 * @param {VigieEvent} event
 */
function onEvent(board, event) {
  const received = Date.now();
  const at = words.instant(event.at);
  const late = at < page.liveFrom;
  const shown = words.line(event);
  board.add(event, shown, at, late);
  showEntry(board.entries[0]);
  showFigures(board);
  if (late) {
    page.caughtUp++;
    return;
  }
  board.measured(received - at);
  showLatency(board);
  toasts.show(words.headline(shown), shown.amount || shown.more, shown.tone);
}

/**
 * @param {Board} board
 * @param {string} reason
 */
function onGap(board, reason) {
  const shown = /** @type {words.Line} */ ({
    family: '',
    icon: 'gap',
    tone: 'wait',
    title: 'Interruption',
    who: '',
    more: words.gap(reason),
    amount: '',
  });
  board.entries.unshift({ key: `gap-${Date.now()}`, at: Date.now(), late: false, shown });
  showEntry(board.entries[0]);
}

/**
 * @param {VigieClient} client
 * @param {Board} board
 */
function onState(client, board) {
  if (client !== page.client) return;
  const { status, resumed } = client.state;
  if (status === 'online') {
    const back = page.lostAt !== null;
    page.lostAt = null;
    page.everOnline = true;
    page.liveFrom = resumed ? Date.now() : 0;
    page.caughtUp = 0;
    if (resumed) {
      board.resumes++;
      clearTimeout(page.catchUpTimer);
      page.catchUpTimer = setTimeout(() => onCaughtUp(board, back), CATCH_UP_MS);
    }
  } else if (page.everOnline && page.lostAt === null) {
    page.lostAt = Date.now();
  }
  element('retry').hidden = status !== 'stopped' && status !== 'waiting';
  showPill();
  showBanner();
}

/**
 * @param {Board} board
 * @param {boolean} back
 */
function onCaughtUp(board, back) {
  if (board !== page.board) return;
  element('resumes').textContent = words.count(board.resumes);
  if (!back && page.caughtUp === 0) return;
  const caught = page.caughtUp === 0 ? 'Aucun événement manqué' : `${words.plural(page.caughtUp, 'événement rattrapé', 'événements rattrapés')}`;
  toasts.show('De nouveau en direct', caught, 'good');
}

function stopCut() {
  clearTimeout(page.cutTimer);
  page.cutTimer = null;
  element('cut').disabled = false;
}

function cut() {
  page.client?.close();
  element('cut').disabled = true;
  page.cutTimer = setTimeout(() => {
    stopCut();
    page.client?.open();
  }, CUT_MS);
}

// ---- showing --------------------------------------------------------------------------------

function showPill() {
  if (!page.client) return;
  const { text, tone } = words.pill(page.client.state, { now: Date.now(), onLine: navigator.onLine });
  const label = element('pill-text');
  if (label.textContent !== text) label.textContent = text;
  element('pill').dataset.tone = tone;
}

function showBanner() {
  const banner = element('banner');
  const lost = page.lostAt !== null && Date.now() - page.lostAt > BANNER_AFTER_MS;
  if (lost === !banner.hidden) return;
  banner.hidden = !lost;
  banner.textContent = lost ? `Connexion perdue. Les données affichées datent de ${words.timeOfDay(page.lostAt ?? 0)}.` : '';
}

/** @param {Board} board */
function showFigures(board) {
  const { signed, paid, completed, messages } = board.figures;
  const values = {
    'figure-signed': words.count(signed),
    'figure-paid': words.roundAmount(paid),
    'figure-completed': words.count(completed),
    'figure-messages': words.count(messages),
    count: words.count(board.received),
    'count-noun': board.received < 2 ? 'événement' : 'événements',
    resumes: words.count(board.resumes),
  };
  for (const [id, value] of Object.entries(values)) {
    const node = element(id);
    if (node.textContent === value) continue;
    node.textContent = value;
    const figure = node.closest('.figure');
    figure?.classList.remove('figure--moved');
    void figure?.offsetWidth; // the animation starts anew
    figure?.classList.add('figure--moved');
  }
}

/** @param {Board} board */
function showLatency(board) {
  const sorted = [...board.latencies].sort((a, b) => a - b);
  const quantile = (/** @type {number} */ q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  element('latency').textContent = words.latency(board.latencies[board.latencies.length - 1]);
  element('latency-stats').textContent = `${words.latency(quantile(0.5))} · ${words.latency(quantile(0.99))}`;
}

/** @param {Entry} entry */
function node({ at, late, shown }) {
  const title = make('p', 'entry__title', shown.title);
  if (late) title.append(make('span', 'entry__late', 'rattrapé'));
  const middle = make('div', '', title);
  const detail = words.detail(shown);
  if (detail) middle.append(make('p', 'entry__detail', detail));
  const time = make('time', 'entry__time', words.ago(Date.now() - at));
  time.setAttribute('datetime', new Date(at).toISOString());
  const end = make('div', 'entry__end');
  if (shown.amount) end.append(make('p', 'entry__amount', shown.amount));
  end.append(time);
  const item = make('li', 'entry', icon(shown.icon), middle, end);
  item.dataset.tone = shown.tone;
  return item;
}

/** @param {Entry} entry */
const wanted = ({ shown }) => !page.family || !shown.family || shown.family === page.family;

/** @param {Entry} entry */
function showEntry(entry) {
  element('empty').hidden = true;
  if (!wanted(entry)) return;
  const list = element('lines');
  const item = node(entry);
  item.classList.add('entry--new');
  const above = list.getBoundingClientRect().top < 0;
  list.prepend(item);
  while (list.childElementCount > FEED_MAX) list.lastElementChild.remove();
  if (above) page.unseen++;
  showFresh();
}

function showFresh() {
  const fresh = element('fresh');
  fresh.hidden = page.unseen === 0;
  fresh.textContent = `↑ ${words.plural(page.unseen, 'nouveauté')}`;
}

function showBoard() {
  const board = /** @type {Board} */ (page.board);
  const list = element('lines');
  list.replaceChildren(...board.entries.filter(wanted).map(node));
  element('empty').hidden = board.entries.length > 0;
  showFigures(board);
  if (board.latencies.length > 0) showLatency(board);
  else element('latency-stats').textContent = '—';
  showFresh();
}

/** @param {string} company */
function showCommands(company) {
  const blocks = page.demo.commands
    .filter((command) => command.company === company)
    .map(({ what, text }) => {
      const copy = make('button', 'button button--text', 'Copier');
      copy.setAttribute('type', 'button');
      copy.setAttribute('aria-label', `Copier la commande : ${what}`);
      copy.addEventListener('click', async () => {
        await navigator.clipboard.writeText(text);
        copy.textContent = 'Copié';
        setTimeout(() => (copy.textContent = 'Copier'), 1500);
      });
      return make('div', 'command', make('div', 'command__what', make('span', '', what), copy), make('code', 'command__text', text));
    });
  element('commands').replaceChildren(...blocks);
}

function showPeople() {
  const buttons = page.demo.people.map((person) => {
    const button = make(
      'button',
      'person',
      make('span', 'person__company', person.companyName),
      make('span', 'person__role', `— ${person.role}`),
    );
    button.setAttribute('type', 'button');
    button.dataset.id = person.id;
    button.addEventListener('click', () => {
      location.hash = person.id;
    });
    return button;
  });
  element('people').replaceChildren(...buttons);
}

function showChips() {
  const chips = [['', 'Tout'], ...Object.entries(words.FAMILIES)].map(([family, label]) => {
    const chip = make('button', 'chip', label);
    chip.setAttribute('type', 'button');
    chip.setAttribute('aria-pressed', String(family === page.family));
    chip.addEventListener('click', () => {
      page.family = family;
      showChips();
      showBoard();
    });
    return chip;
  });
  element('chips').replaceChildren(...chips);
}

/** What changes by itself: relative times, the countdown, the banner. */
function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll('time')) {
    const text = words.ago(now - Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
  showPill();
  showBanner();
}

function lookAtHash() {
  const id = decodeURIComponent(location.hash.slice(1));
  look(page.demo.people.find((person) => person.id === id) ?? page.demo.people[0]);
}

async function start() {
  showChips();
  try {
    page.demo = await fetchDemo();
  } catch (error) {
    console.error(error);
    element('pill-text').textContent = 'Jetons introuvables';
    element('pill').dataset.tone = 'bad';
    return;
  }
  showPeople();
  lookAtHash();
  setInterval(tick, 500);
  addEventListener('hashchange', lookAtHash);
  addEventListener('online', showPill);
  addEventListener('offline', showPill);
  addEventListener('scroll', () => {
    if (page.unseen === 0 || element('lines').getBoundingClientRect().top < 0) return;
    page.unseen = 0;
    showFresh();
  }, { passive: true });
  element('cut').addEventListener('click', cut);
  element('retry').addEventListener('click', () => page.client?.open());
  element('fresh').addEventListener('click', () => {
    element('activite').focus({ preventScroll: true });
    element('activite').scrollIntoView({ block: 'center', behavior: 'smooth' });
  });
}

start();
