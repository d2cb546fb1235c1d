/* text.h - what a name may look like: companies, users, rooms, events.
 *
 * Names are opaque bytes: no folding, no trimming, no normalisation; two that differ in one byte
 * are two names. Control characters are refused, since names appear in log lines and joined lists.
 */
#ifndef VIGIE_CORE_TEXT_H
#define VIGIE_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* 1 to `max` bytes, none of them below 0x20 or 0x7f. */
bool text_is_name(const char *text, size_t len, size_t max);

#endif
