/** What the benchmarks measure with: memory and CPU time of a process, and figures of many numbers. */
import fs from 'node:fs';

import { poll } from '../tests/e2e/lib/wait.mjs';

/** Proportional set size in bytes. @param {number} pid */
export function pss(pid) {
    return Number(/^Pss: +(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024;
}

/** It has settled when three readings are the same within 64 KiB. @param {number} pid */
export function settledPss(pid) {
    /** @type {number[]} */
    const readings = [];
    return poll(() => {
        readings.push(pss(pid));
        const last = readings.slice(-3);
        return last.length === 3 && Math.max(...last) - Math.min(...last) <= 65536 ? last[2] : 0;
    }, { within: 60_000, every: 1000, what: 'steady memory' });
}

/** utime + stime in microseconds: in ticks of 10 ms, or, where the kernel counts them, in nanoseconds. @param {number} pid */
export function cpuUs(pid) {
    let ns = 0;
    for (const task of fs.readdirSync(`/proc/${pid}/task`))
        ns += Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    if (ns > 0) return ns / 1000;
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** @param {number[]} numbers @param {number} part */
export function quantile(numbers, part) {
    const sorted = [...numbers].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

/** @param {number[]} numbers */
export const median = (numbers) => {
    const sorted = [...numbers].sort((a, b) => a - b);
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

/** @param {number} number */
export const round = (number, digits = 2) => Number(number.toFixed(digits));
