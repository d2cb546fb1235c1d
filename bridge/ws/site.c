#include "ws/site.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct site {
    struct site_file files[SITE_FILES_MAX];
    size_t count;
    size_t bytes;
};

static const char *type_of(const char *name)
{
    static const struct {
        const char *ending;
        const char *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".mjs", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".json", "application/json"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"},
                 {".ico", "image/x-icon"},
                 {".woff2", "font/woff2"}};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof types / sizeof *types; i++)
        if (strcmp(ending, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static bool read_bytes(struct site_file *file, const char *path, struct err *err)
{
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return err_set(err, "%s: %s", path, strerror(errno));
    file->bytes = mem_new(file->len);
    size_t got = fread(file->bytes, 1, file->len, stream);
    fclose(stream);
    return got == file->len || err_set(err, "%s: changed while it was read", path);
}

static bool add_file(struct site *site, const char *folder, const char *name, struct err *err)
{
    char path[4096];
    struct stat info;
    if (name[0] == '.')
        return true;
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (len < 0 || len >= (int)sizeof path || stat(path, &info) != 0)
        return err_set(err, "%s/%s: cannot be read", folder, name);
    if (!S_ISREG(info.st_mode))
        return true;
    site->bytes += (size_t)info.st_size;
    if (site->count == SITE_FILES_MAX || site->bytes > SITE_BYTES_MAX)
        return err_set(err, "%s: expected at most %d files and %d bytes", folder, SITE_FILES_MAX,
                       SITE_BYTES_MAX);
    struct site_file *file = &site->files[site->count++];
    file->len = (size_t)info.st_size;
    file->type = type_of(name);
    file->path = mem_new(strlen(name) + 2);
    sprintf(file->path, "/%s", name);
    return read_bytes(file, path, err);
}

struct site *site_new(const char *folder, struct err *err)
{
    DIR *dir = opendir(folder);
    if (!dir) {
        err_set(err, "%s: %s", folder, strerror(errno));
        return NULL;
    }
    struct site *site = mem_new(sizeof *site);
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(dir));)
        ok = add_file(site, folder, entry->d_name, err);
    closedir(dir);
    if (ok)
        return site;
    site_free(site);
    return NULL;
}

void site_free(struct site *site)
{
    if (!site)
        return;
    for (size_t i = 0; i < site->count; i++) {
        free(site->files[i].path);
        free(site->files[i].bytes);
    }
    free(site);
}

const struct site_file *site_find(const struct site *site, const char *path)
{
    if (strncmp(path, "/demo", 5) == 0 && (path[5] == '\0' || path[5] == '/'))
        path += 5;
    if (path[0] == '\0' || strcmp(path, "/") == 0)
        path = "/index.html";
    for (size_t i = 0; i < site->count; i++)
        if (strcmp(site->files[i].path, path) == 0)
            return &site->files[i];
    return NULL;
}
