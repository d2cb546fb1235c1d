#include "app/version.h"

#include "pg/library.h"
#include "ws/server.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <uv.h>

void version_print(struct buf *out)
{
    buf_fmt(out, "vigie %s\n", VIGIE_VERSION);
    buf_fmt(out, "libwebsockets %s\n", server_library());
    int pq = pg_library_version();
    buf_fmt(out, "libpq %d.%d\n", pq / 10000, pq % 10000);
    /* libjwt 1.x does not say at run time which one it is */
    buf_fmt(out, "libjwt %s\n", VIGIE_LIBJWT);
    buf_fmt(out, "libuv %s\n", uv_version_string());
    buf_fmt(out, "jansson %s\n", JANSSON_VERSION);
    buf_fmt(out, "%s\n", OpenSSL_version(OPENSSL_VERSION));
}
