/** Chance that can be had again: SEED in the environment replays a run. */

export const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

/** A generator (mulberry32) for one topic of this run. @param {string} topic */
export function randomOf(topic) {
    let state = SEED;
    for (const char of topic) state = (Math.imul(state, 31) + char.charCodeAt(0)) | 0;
    const next = () => {
        state = (state + 0x6d2b79f5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
    return {
        /** 0 to n - 1. @param {number} n */
        below: (n) => Math.floor(next() * n),
        /** True that often. @param {number} probability */
        chance: (probability) => next() < probability,
        /** @template T @param {T[]} list @returns {T} */
        pick: (list) => list[Math.floor(next() * list.length)],
    };
}
