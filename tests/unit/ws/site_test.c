#include "unit.h"

#include "ws/site.h"

#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own for each test. */
static char folder[64];

static void path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", folder, name);
}

static void put(const char *name, const char *bytes, size_t len)
{
    char path[256];
    path_of(name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static int open_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/vigie-site-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int close_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static struct site *opened(void)
{
    struct err err = {0};
    struct site *site = site_new(folder, &err);
    if (!site)
        print_error("%s\n", err.text);
    assert_non_null(site);
    return site;
}

static void assert_not_opened(const char *part_of_why)
{
    struct err err = {0};
    assert_null(site_new(folder, &err));
    assert_non_null(strstr(err.text, part_of_why));
}

static void a_file_is_found_with_its_type_and_bytes(void **state)
{
    (void)state;
    put_text("app.js", "let a = 1;");
    put_text("style.css", "");
    put("data.bin", "a\0b", 3);
    struct site *site = opened();
    const struct site_file *file = site_find(site, "/app.js");
    assert_string_equal(file->type, "text/javascript; charset=utf-8");
    assert_int_equal(file->len, 10);
    assert_memory_equal(file->bytes, "let a = 1;", 10);
    assert_int_equal(site_find(site, "/style.css")->len, 0);
    assert_memory_equal(site_find(site, "/data.bin")->bytes, "a\0b", 3);
    assert_string_equal(site_find(site, "/data.bin")->type, "application/octet-stream");
    site_free(site);
}

static void the_index_answers_for_the_folder(void **state)
{
    (void)state;
    static const char *const paths[] = {"/", "/demo", "/demo/", "/index.html", "/demo/index.html"};
    put_text("index.html", "<p>");
    struct site *site = opened();
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_string_equal(site_find(site, paths[i])->path, "/index.html");
    site_free(site);
}

static void nothing_outside_can_be_reached(void **state)
{
    (void)state;
    static const char *const paths[] = {"/../etc/passwd",
                                        "/./index.html",
                                        "//index.html",
                                        "index.html",
                                        "/index.html/",
                                        "/INDEX.HTML",
                                        "/%69ndex.html",
                                        "/demo/../index.html",
                                        "/demox/index.html",
                                        "/demoindex.html",
                                        "/.secret",
                                        "/inner/file.html",
                                        "/inner",
                                        "/etc/passwd",
                                        "/link-out/passwd"};
    char inner[256];
    char link_out[256];
    put_text("index.html", "<p>");
    put_text(".secret", "s");
    path_of("inner", inner);
    mkdir(inner, 0700);
    put_text("inner/file.html", "x");
    path_of("link-out", link_out);
    assert_int_equal(symlink("/etc", link_out), 0);
    struct site *site = opened();
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_null(site_find(site, paths[i]));
    site_free(site);
}

static void hidden_files_are_not_even_looked_at(void **state)
{
    (void)state;
    char lock[256];
    path_of(".#index.html", lock); /* an editor's lock: a link to nowhere */
    assert_int_equal(symlink("nobody@nowhere", lock), 0);
    put_text("index.html", "<p>");
    site_free(opened());
}

static void a_pipe_is_not_read(void **state)
{
    (void)state;
    char path[256];
    path_of("pipe.html", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct site *site = opened();
    assert_null(site_find(site, "/pipe.html"));
    site_free(site);
}

static void too_many_files_are_refused(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < SITE_FILES_MAX; i++) {
        snprintf(name, sizeof name, "%d.html", i);
        put_text(name, "x");
    }
    site_free(opened());
    put_text("more.html", "x");
    assert_not_opened("at most");
}

static void too_many_bytes_are_refused(void **state)
{
    (void)state;
    char path[256];
    put_text("large.bin", "x");
    path_of("large.bin", path);
    assert_int_equal(truncate(path, SITE_BYTES_MAX), 0);
    site_free(opened());
    put_text("more.html", "x");
    assert_not_opened("at most");
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(site_new("/nonexistent/folder", &err));
    assert_non_null(strstr(err.text, "/nonexistent/folder"));
    site_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_file_is_found_with_its_type_and_bytes),
        TEST(the_index_answers_for_the_folder),
        TEST(nothing_outside_can_be_reached),
        TEST(hidden_files_are_not_even_looked_at),
        TEST(a_pipe_is_not_read),
        TEST(too_many_files_are_refused),
        TEST(too_many_bytes_are_refused),
        TEST(a_folder_that_is_not_there_is_told),
    };
    return RUN(tests);
}
