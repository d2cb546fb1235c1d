#include "auth/keyfile.h"

#include "base/base64url.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without O_NONBLOCK a pipe in the place of the file would hold up the start for ever. */
static int open_regular(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        err_set(err, "expected a readable file: %s", strerror(errno));
        return -1;
    }
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        return fd;
    err_set(err, "expected a regular file");
    close(fd);
    return -1;
}

/* Up to one byte past the ceiling, so that the caller sees a file that is too long. */
static bool read_all(int fd, char *bytes, size_t *len, struct err *err)
{
    *len = 0;
    while (*len <= KEYFILE_BYTES_MAX) {
        ssize_t got = read(fd, bytes + *len, KEYFILE_BYTES_MAX + 1 - *len);
        if (got == 0)
            return true;
        if (got > 0)
            *len += (size_t)got;
        else if (errno != EINTR)
            return err_set(err, "expected a readable file: %s", strerror(errno));
    }
    return err_set(err, "expected at most %d bytes", KEYFILE_BYTES_MAX);
}

bool keyfile_read(struct keyfile *file, const char *path, struct err *err)
{
    int fd = open_regular(path, err);
    if (fd < 0)
        return false;
    struct keyfile read = {.bytes = mem_new(KEYFILE_BYTES_MAX + 2)};
    bool ok = read_all(fd, read.bytes, &read.len, err);
    close(fd);
    if (ok && read.len == 0)
        ok = err_set(err, "expected a key, found an empty file");
    if (ok)
        *file = read;
    else
        keyfile_clear(&read);
    return ok;
}

void keyfile_clear(struct keyfile *file)
{
    if (file->bytes)
        OPENSSL_cleanse(file->bytes, KEYFILE_BYTES_MAX + 2);
    free(file->bytes);
    *file = (struct keyfile){0};
}

/* Either alphabet becomes the one of base64url; line ends of `openssl rand -base64` go. */
static size_t normalise_base64(char *text, size_t len)
{
    size_t kept = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '+')
            text[kept++] = '-';
        else if (text[i] == '/')
            text[kept++] = '_';
        else if (text[i] != '\n' && text[i] != '\r')
            text[kept++] = text[i];
    for (int pad = 0; pad < 2 && kept && text[kept - 1] == '='; pad++)
        kept--;
    return kept;
}

static bool decode_secret(struct keyfile *file, size_t prefix_len, struct err *err)
{
    char *text = file->bytes + prefix_len;
    size_t text_len = normalise_base64(text, file->len - prefix_len);
    size_t len = 0;
    uint8_t *bytes = mem_new(text_len + 1);
    bool ok = base64url_decode(text, text_len, bytes, text_len, &len) && len > 0;
    if (ok) {
        memcpy(file->bytes, bytes, len);
        file->bytes[len] = '\0';
        file->len = len;
    }
    OPENSSL_cleanse(bytes, text_len + 1);
    free(bytes);
    return ok || err_set(err, "expected base64 after \"base64:\"");
}

bool keyfile_to_secret(struct keyfile *file, struct err *err)
{
    static const char prefix[] = "base64:";
    size_t prefix_len = sizeof prefix - 1;
    if (file->len >= prefix_len && memcmp(file->bytes, prefix, prefix_len) == 0)
        return decode_secret(file, prefix_len, err);
    if (file->bytes[file->len - 1] == '\n')
        file->bytes[--file->len] = '\0';
    return file->len > 0 || err_set(err, "expected a secret, found an empty line");
}

static size_t block_count(const struct keyfile *file)
{
    static const char mark[] = "-----BEGIN ";
    size_t count = 0;
    for (const char *at = file->bytes; (at = strstr(at, mark)); at += sizeof mark - 1)
        count++;
    return count;
}

static EVP_PKEY *decode_public(const char *name, const unsigned char *der, long len,
                               struct err *err)
{
    if (strcmp(name, "PUBLIC KEY") != 0) {
        err_set(err, "expected one PEM block PUBLIC KEY, found %s", name);
        return NULL;
    }
    const unsigned char *cursor = der;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &cursor, len);
    if (pkey && cursor == der + len)
        return pkey;
    EVP_PKEY_free(pkey);
    err_set(err, "expected a public key that OpenSSL can read");
    return NULL;
}

static BIO *bio_of(const struct keyfile *file)
{
    return BIO_new_mem_buf(file->bytes, (int)file->len);
}

/* Not the general reader of OpenSSL: it also takes private keys and certificates, and asks a
 * terminal for a passphrase. */
static EVP_PKEY *read_public(const struct keyfile *file, struct err *err)
{
    char *name = NULL;
    char *header = NULL;
    unsigned char *der = NULL;
    long len = 0;
    EVP_PKEY *pkey = NULL;
    BIO *bio = bio_of(file);
    if (bio && PEM_read_bio(bio, &name, &header, &der, &len) == 1)
        pkey = decode_public(name, der, len, err);
    else
        err_set(err, "expected one PEM block PUBLIC KEY, found none");
    BIO_free(bio);
    OPENSSL_clear_free(der, (size_t)len);
    OPENSSL_free(header);
    OPENSSL_free(name);
    return pkey;
}

EVP_PKEY *keyfile_public(const struct keyfile *file, struct err *err)
{
    if (block_count(file) > 1) {
        err_set(err, "expected one PEM block PUBLIC KEY, found several blocks");
        return NULL;
    }
    EVP_PKEY *pkey = read_public(file, err);
    ERR_clear_error();
    return pkey;
}

static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

EVP_PKEY *keyfile_private(const struct keyfile *file, struct err *err)
{
    BIO *bio = bio_of(file);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (!pkey)
        err_set(err, "expected a PEM block PRIVATE KEY without passphrase");
    return pkey;
}
