/**
 * Canaries: values that may only be seen by whoever they were made for. Each says whose it is
 * and which column it sits in, so that a leak names its source.
 */
export const CANARY = 'cnry';

let count = 0;

/** @param {string} company @param {string} column */
export function canary(company, column) {
    return `${CANARY}_${company}_${column.replaceAll(/[^A-Za-z]/g, '')}_${(++count).toString(36)}_`;
}
