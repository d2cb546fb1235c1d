#include "app/conf.h"

#include "app/conf_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* The absolute directory of a file that may not exist. */
static char *directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *name =
        slash ? mem_dup(file, slash == file ? 1 : (size_t)(slash - file)) : mem_strdup(".");
    char *whole = realpath(name, NULL);
    if (!whole)
        return name;
    free(name);
    return whole;
}

static struct conf *conf_new(const char *file)
{
    struct conf *conf = mem_new(sizeof *conf);
    conf->inner = mem_new(sizeof *conf->inner);
    conf->inner->file = mem_strdup(file);
    conf->inner->directory = directory_of(file);
    return conf;
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    struct conf_private *inner = conf->inner;
    for (size_t i = 0; i < inner->owned_count; i++)
        free(inner->owned[i]);
    free(inner->owned);
    free(inner->file);
    free(inner->directory);
    free(inner);
    free(conf);
}

struct conf *conf_parse(const char *name, const char *text, size_t len, char *const *environment,
                        struct buf *errors)
{
    struct conf_complaints complaints = {.file = name, .out = errors};
    if (len > CONF_FILE_BYTES_MAX) {
        conf_complain(&complaints, 1, "expected at most %d KiB", CONF_FILE_BYTES_MAX / 1024);
        return NULL;
    }
    struct conf_node *root = conf_tree_parse(text, len, &complaints);
    if (!root)
        return NULL;
    struct conf *conf = conf_new(name);
    conf_read(conf, root, environment, &complaints);
    conf_check(conf, environment, &complaints);
    conf_tree_free(root);
    if (complaints.count == 0)
        return conf;
    conf_free(conf);
    return NULL;
}

/* Reads what is left of the file, at most one byte more than is allowed. */
static bool read_all(int fd, struct buf *text)
{
    char chunk[16384];
    while (text->len <= CONF_FILE_BYTES_MAX) {
        ssize_t count = read(fd, chunk, sizeof chunk);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count == 0;
        buf_add(text, chunk, (size_t)count);
    }
    return true;
}

/* Opens the file and judges it from outside; -1 with a complaint and the exit code. */
static int open_file(const char *path, struct conf_complaints *complaints, int *exit_code)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        *exit_code = errno == ENOENT || errno == ENOTDIR ? EX_NOINPUT
                     : errno == EACCES || errno == EPERM ? EX_NOPERM
                                                         : EX_CONFIG;
        conf_complain(complaints, 1, "expected a readable file: %s", strerror(errno));
        return -1;
    }
    struct stat info;
    if (fstat(fd, &info) != 0)
        conf_complain(complaints, 1, "expected a readable file: %s", strerror(errno));
    else if (!S_ISREG(info.st_mode))
        conf_complain(complaints, 1, "expected a regular file");
    else if (info.st_mode & S_IWOTH)
        conf_complain(complaints, 1, "expected a file that not every user may write (chmod o-w)");
    else
        return fd;
    close(fd);
    return -1;
}

struct conf *conf_load(const char *path, char *const *environment, struct buf *errors,
                       int *exit_code)
{
    struct conf_complaints complaints = {.file = path, .out = errors};
    *exit_code = EX_CONFIG;
    int fd = open_file(path, &complaints, exit_code);
    if (fd < 0)
        return NULL;
    struct buf text;
    buf_init(&text, CONF_FILE_BYTES_MAX + 2 * 16384);
    struct conf *conf = NULL;
    if (read_all(fd, &text))
        conf = conf_parse(path, text.bytes ? text.bytes : "", text.len, environment, errors);
    else
        conf_complain(&complaints, 1, "expected a readable file: %s", strerror(errno));
    close(fd);
    buf_free(&text);
    if (conf)
        *exit_code = EX_OK;
    return conf;
}
