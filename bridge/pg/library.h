/* library.h - which libpq runs here. */
#ifndef VIGIE_PG_LIBRARY_H
#define VIGIE_PG_LIBRARY_H

/* As PQlibVersion() says it: 150018 is 15.18. */
int pg_library_version(void);

#endif
