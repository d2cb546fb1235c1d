#include "unit.h"

#include "ws/tls.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

/* Pairs made for this run, as files in a folder of its own. */
static char folder[64];
static char paths[16][128];
static unsigned path_count;

static const char *path_of(const char *name)
{
    char *path = paths[path_count++ % COUNT(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static X509 *certificate_for(EVP_PKEY *key, const char *name, long days)
{
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400 * 30);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400 * days);
    X509_NAME *subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

static void write_key(EVP_PKEY *key, const char *file, const char *passphrase)
{
    FILE *stream = fopen(path_of(file), "w");
    const EVP_CIPHER *cipher = passphrase ? EVP_aes_128_cbc() : NULL;
    char *secret = passphrase ? strdup(passphrase) : NULL;
    assert_int_equal(PEM_write_PrivateKey(stream, key, cipher, (unsigned char *)secret,
                                          secret ? (int)strlen(secret) : 0, NULL, NULL),
                     1);
    free(secret);
    fclose(stream);
}

/* `name`.pem and `name`.key. */
static void make_pair(EVP_PKEY *key, const char *name, long days)
{
    char file[64];
    X509 *cert = certificate_for(key, name, days);
    snprintf(file, sizeof file, "%s.pem", name);
    FILE *stream = fopen(path_of(file), "w");
    assert_int_equal(PEM_write_X509(stream, cert), 1);
    fclose(stream);
    snprintf(file, sizeof file, "%s.key", name);
    write_key(key, file, NULL);
    X509_free(cert);
}

static void append(const char *to, const char *text)
{
    FILE *stream = fopen(path_of(to), "a");
    fputs(text, stream);
    fclose(stream);
}

static int make_pairs(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/vigie-tls-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    make_pair(ec, "ec", 90);
    make_pair(rsa, "rsa", 10);
    make_pair(ec, "old", -1);
    make_pair(ec, "broken", 90);
    append("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    make_pair(ec, "noted", 90);
    append("noted.pem", "\n# a comment at the end\n");
    write_key(ec, "secret.key", "passphrase");
    append("empty.pem", "");
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    return 0;
}

static int remove_pairs(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static struct tls *load(const char *cert, const char *key, struct err *err)
{
    return tls_new(path_of(cert), path_of(key), err);
}

static void assert_refused(const char *cert, const char *key, const char *part_of_why)
{
    struct err err = {0};
    struct tls *tls = load(cert, key, &err);
    if (tls || !strstr(err.text, part_of_why))
        print_error("%s, %s: %s\n", cert, key, err.text);
    assert_null(tls);
    assert_non_null(strstr(err.text, part_of_why));
}

static void a_pair_is_loaded_with_its_expiry(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = load("ec.pem", "ec.key", &err);
    assert_non_null(tls);
    int64_t left_s = tls_expires_at(tls) - (int64_t)time(NULL);
    assert_in_range(left_s, 86400 * 90 - 100, 86400 * 90);
    tls_free(tls);
    tls_free(NULL);
}

static void what_does_not_fit_together_is_refused(void **state)
{
    (void)state;
    assert_refused("ec.pem", "rsa.key", "is not the private key of");
    assert_refused("old.pem", "old.key", "expired");
    assert_refused("absent.pem", "ec.key", "absent.pem");
    assert_refused("ec.pem", "absent.key", "absent.key");
    assert_refused("empty.pem", "ec.key", "expected a PEM certificate");
    assert_refused("ec.key", "ec.key", "expected a PEM certificate");
    assert_refused("ec.pem", "ec.pem", "private key");
}

static void an_encrypted_key_is_refused_and_nothing_is_asked(void **state)
{
    (void)state;
    assert_refused("ec.pem", "secret.key", "unencrypted");
}

static void a_damaged_chain_is_refused(void **state)
{
    (void)state;
    assert_refused("broken.pem", "broken.key", "broken.pem");
}

static void words_after_the_chain_are_no_damage(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = load("noted.pem", "noted.key", &err);
    assert_non_null(tls);
    tls_free(tls);
}

static void the_old_pair_stays_when_the_new_one_is_no_good(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = load("ec.pem", "ec.key", &err);
    int64_t expires_at = tls_expires_at(tls);
    assert_false(tls_load(tls, path_of("rsa.pem"), path_of("ec.key"), &err));
    assert_true(err.text[0]);
    assert_int_equal(tls_expires_at(tls), expires_at);
    assert_true(tls_load(tls, path_of("rsa.pem"), path_of("rsa.key"), &err));
    assert_true(tls_expires_at(tls) < expires_at);
    tls_free(tls);
}

/* ---- handshakes in memory ---- */

struct handshake {
    SSL_CTX *server_ctx;
    SSL_CTX *client_ctx;
    SSL *server;
    SSL *client;
};

static void begin(struct handshake *h, struct tls *tls, SSL_CTX *server_ctx, int version)
{
    BIO *a;
    BIO *b;
    h->server_ctx = server_ctx;
    h->client_ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(h->client_ctx, version);
    if (tls)
        tls_attach(tls, server_ctx);
    h->server = SSL_new(server_ctx);
    h->client = SSL_new(h->client_ctx);
    SSL_set_security_level(h->client, 0);
    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(h->server, a, a);
    SSL_set_bio(h->client, b, b);
}

static bool shake(struct handshake *h)
{
    int server = 0;
    int client = 0;
    for (int i = 0; i < 20 && (server != 1 || client != 1); i++) {
        client = SSL_connect(h->client);
        server = SSL_accept(h->server);
    }
    return server == 1 && client == 1;
}

static void end(struct handshake *h)
{
    SSL_free(h->server);
    SSL_free(h->client);
    SSL_CTX_free(h->client_ctx);
}

/* The name on the certificate that a client is given, or "(none)". */
static const char *served_by(struct tls *tls, SSL_CTX *ctx, int version)
{
    static char name[64];
    struct handshake h;
    strcpy(name, "(none)");
    begin(&h, tls, ctx, version);
    if (shake(&h)) {
        X509 *cert = SSL_get1_peer_certificate(h.client);
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
        X509_free(cert);
    }
    end(&h);
    return name;
}

static void each_handshake_is_given_the_pair_in_service(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = load("ec.pem", "ec.key", &err);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_string_equal(served_by(tls, ctx, TLS1_3_VERSION), "ec");
    assert_true(tls_load(tls, path_of("rsa.pem"), path_of("rsa.key"), &err));
    assert_string_equal(served_by(NULL, ctx, TLS1_3_VERSION), "rsa");
    assert_string_equal(served_by(NULL, ctx, TLS1_2_VERSION), "rsa");
    assert_true(tls_load(tls, path_of("ec.pem"), path_of("ec.key"), &err));
    assert_string_equal(served_by(NULL, ctx, TLS1_2_VERSION), "ec");
    SSL_CTX_free(ctx);
    tls_free(tls);
}

static void an_old_version_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = load("rsa.pem", "rsa.key", &err);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(ctx, 0);
    assert_string_equal(served_by(tls, ctx, TLS1_2_VERSION), "rsa");
    assert_string_equal(served_by(NULL, ctx, TLS1_1_VERSION), "(none)");
    SSL_CTX_free(ctx);
    tls_free(tls);
}

static void a_session_can_not_be_resumed(void **state)
{
    (void)state;
    struct err err = {0};
    struct tls *tls = load("ec.pem", "ec.key", &err);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct handshake h;
    begin(&h, tls, ctx, TLS1_3_VERSION);
    assert_true(shake(&h));
    char byte;
    (void)SSL_read(h.client, &byte, 1); /* tickets would come here */
    assert_false(SSL_SESSION_is_resumable(SSL_get_session(h.client)));
    end(&h);
    SSL_CTX_free(ctx);
    tls_free(tls);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_is_loaded_with_its_expiry),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
        cmocka_unit_test(an_encrypted_key_is_refused_and_nothing_is_asked),
        cmocka_unit_test(a_damaged_chain_is_refused),
        cmocka_unit_test(words_after_the_chain_are_no_damage),
        cmocka_unit_test(the_old_pair_stays_when_the_new_one_is_no_good),
        cmocka_unit_test(each_handshake_is_given_the_pair_in_service),
        cmocka_unit_test(an_old_version_is_refused),
        cmocka_unit_test(a_session_can_not_be_resumed),
    };
    return cmocka_run_group_tests(tests, make_pairs, remove_pairs);
}
