/* version.h - which Vigie this is, and which libraries it runs on. */
#ifndef VIGIE_APP_VERSION_H
#define VIGIE_APP_VERSION_H

#include "base/buf.h"

void version_print(struct buf *out);

#endif
