#include "unit.h"

#include "core/world.h"
#include "proto/sse.h"

/* ---- a client as WHATWG HTML, 9.2.6 describes it ---- */

struct listener {
    char id[64];      /* Last-Event-ID */
    char retry[16];   /* as digits */
    char type[80];    /* of the last event dispatched */
    struct buf data;  /* its data */
    struct buf field; /* the data buffer */
    char pending[80];
    int dispatched;
};

static void listener_open(struct listener *l)
{
    *l = (struct listener){0};
    buf_init(&l->data, 1 << 20);
    buf_init(&l->field, 1 << 20);
}

static void listener_close(struct listener *l)
{
    buf_free(&l->data);
    buf_free(&l->field);
}

static void dispatch(struct listener *l)
{
    if (l->field.len) {
        buf_clear(&l->data);
        buf_add(&l->data, l->field.bytes, l->field.len - 1);
        snprintf(l->type, sizeof l->type, "%s", *l->pending ? l->pending : "message");
        l->dispatched++;
    }
    buf_clear(&l->field);
    *l->pending = '\0';
}

static void hear_field(struct listener *l, const char *name, const char *value)
{
    if (strcmp(name, "event") == 0)
        snprintf(l->pending, sizeof l->pending, "%s", value);
    else if (strcmp(name, "id") == 0)
        snprintf(l->id, sizeof l->id, "%s", value);
    else if (strcmp(name, "retry") == 0)
        snprintf(l->retry, sizeof l->retry, "%s", value);
    else if (strcmp(name, "data") == 0)
        buf_fmt(&l->field, "%s\n", value);
}

static void hear_line(struct listener *l, char *line)
{
    char *colon = strchr(line, ':');
    if (*line == '\0')
        dispatch(l);
    if (*line == '\0' || colon == line)
        return;
    const char *value = "";
    if (colon) {
        *colon = '\0';
        value = colon[1] == ' ' ? colon + 2 : colon + 1;
    }
    hear_field(l, line, value);
}

static void hear_text(struct listener *l, const char *bytes, size_t len)
{
    char *text = mem_dup(bytes, len);
    for (char *line = text; *line;) {
        size_t end = strcspn(line, "\r\n");
        char *next = line + end + (line[end] == '\r' && line[end + 1] == '\n' ? 2 : 1);
        assert_true(line[end] != '\0'); /* a block ends with a line end */
        line[end] = '\0';
        hear_line(l, line);
        line = next;
    }
    free(text);
}

static void hear(struct listener *l, struct frame *frame)
{
    assert_null(frame->company);
    hear_text(l, (const char *)frame->bytes, frame->len);
    frame_unref(frame);
}

static int open_listener(void **state)
{
    struct listener *l = mem_new(sizeof *l);
    listener_open(l);
    *state = l;
    return 0;
}

static int close_listener(void **state)
{
    listener_close(*state);
    free(*state);
    return 0;
}

static void assert_heard(const struct listener *l, const char *type, const char *data)
{
    assert_string_equal(l->type, type);
    assert_string_equal(l->data.bytes, data);
}

/* ---- blocks ---- */

static struct frame *said_event(const char *name, const char *payload)
{
    const struct event_row row = {
        5, "acme", "vigie_devis", "", "a:1", payload, "2026-11-21T06:12:07.123456Z"};
    struct event_row named = row;
    named.name = name;
    struct event *event = event_new(&named, NULL);
    assert_non_null(event);
    struct frame *frame = sse_protocol.event(event, event->rooms[0], "cur");
    event_unref(event);
    return frame;
}

static void assert_block(struct frame *frame, const char *text)
{
    char *copy = mem_dup((const char *)frame->bytes, frame->len);
    assert_string_equal(copy, text);
    free(copy);
    frame_unref(frame);
}

static void each_block_says_what_the_protocol_says(void **state)
{
    (void)state;
    const struct protocol *p = &sse_protocol;
    assert_block(said_event("devis:signed", "{\"id\":7}"),
                 "id: cur\nevent: devis:signed\ndata: {\"id\":7}\n\n");
    assert_block(p->gap(GAP_RETENTION, "cur"),
                 "id: cur\nevent: vigie:gap\n"
                 "data: {\"reason\":\"retention\",\"cursor\":\"cur\"}\n\n");
    assert_block(p->heartbeat("cur"), ": heartbeat\nid: cur\n\n");
    assert_block(p->expiring(60), "event: vigie:expiring\ndata: {\"in\":60}\n\n");
    assert_block(p->drain(1830),
                 "retry: 1830\nevent: vigie:drain\ndata: {\"retry_after_ms\":1830}\n\n");
    assert_block(p->renewed(9), "event: vigie:renewed\ndata: {\"expires_in\":9}\n\n");
    assert_block(p->joined("a:\"1", 7, "cur"),
                 "id: cur\nevent: vigie:joined\ndata: {\"room\":\"a:\\\"1\"}\n\n");
    assert_block(p->left("a:1", 7), "event: vigie:left\ndata: {\"room\":\"a:1\"}\n\n");
    assert_block(p->error("forbidden", 7),
                 "event: vigie:error\ndata: {\"code\":\"forbidden\"}\n\n");
    assert_null(p->ping);
}

static void a_stream_begins_with_when_to_come_back(void **state)
{
    struct listener *l = *state;
    hear(l, sse_preamble(2000));
    assert_string_equal(l->retry, "2000");
    assert_int_equal(l->dispatched, 0);
}

static void a_stream_ends_with_why(void **state)
{
    struct listener *l = *state;
    hear(l, sse_goodbye(CLOSE_TOKEN_EXPIRED));
    assert_heard(l, "vigie:close", "{\"code\":4440,\"reason\":\"token_expired\"}");
    assert_string_equal(l->id, "");
}

static void a_heartbeat_moves_the_id_and_dispatches_nothing(void **state)
{
    struct listener *l = *state;
    hear(l, said_event("d:s", "{}"));
    hear(l, sse_protocol.heartbeat("later"));
    assert_string_equal(l->id, "later");
    assert_int_equal(l->dispatched, 1);
}

static void what_has_no_place_in_the_feed_leaves_the_id(void **state)
{
    struct listener *l = *state;
    hear(l, said_event("d:s", "{}"));
    hear(l, sse_protocol.expiring(60));
    hear(l, sse_protocol.drain(100));
    hear(l, sse_goodbye(CLOSE_RESTART));
    assert_string_equal(l->id, "cur");
    assert_int_equal(l->dispatched, 4);
    assert_string_equal(l->retry, "100");
}

/* However a payload breaks its lines, it is one event, and the same JSON. */
static void a_line_end_in_a_payload_does_not_end_the_event(void **state)
{
    struct listener *l = *state;
    static const char *const payloads[][2] = {
        {"{\n\"id\":7}", "{\n\"id\":7}"},
        {"{\r\"id\":7}", "{\n\"id\":7}"},
        {"{\r\n\"id\":7}", "{\n\n\"id\":7}"},
        {"{\"id\":7}\n", "{\"id\":7}\n"},
        {"\n\nevent: vigie:close\ndata: 1\n\n", "\n\nevent: vigie:close\ndata: 1\n\n"},
        {" 7", " 7"},
    };
    for (size_t i = 0; i < COUNT(payloads); i++) {
        hear(l, said_event("d:s", payloads[i][0]));
        assert_heard(l, "d:s", payloads[i][1]);
        assert_int_equal(l->dispatched, i + 1);
    }
}

static void an_event_s_name_is_taken_to_the_letter(void **state)
{
    struct listener *l = *state;
    static const char *const names[] = {" d", "d: s", "id: 7", "é:ü", "message"};
    for (size_t i = 0; i < COUNT(names); i++) {
        hear(l, said_event(names[i], "{}"));
        assert_heard(l, names[i], "{}");
    }
    assert_string_equal(l->id, "cur");
}

static void the_largest_event_fits_a_block(void **state)
{
    struct listener *l = *state;
    static char payload[EVENT_PAYLOAD_BYTES_MAX + 1];
    memset(payload, '\n', EVENT_PAYLOAD_BYTES_MAX);
    hear(l, said_event("d:s", payload));
    assert_int_equal(l->dispatched, 1);
    assert_int_equal(l->data.len, EVENT_PAYLOAD_BYTES_MAX);
}

/* ---- as a session ---- */

static int open_world(void **state)
{
    struct world *world = mem_new(sizeof *world);
    world_open(world);
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static struct client *stream(struct world *world, const char *cursor)
{
    struct client *client = client_speaking(world, &sse_protocol);
    session_auth(client->session, "acme|u7", 7, cursor, NULL, 0);
    world_turn(world);
    return client;
}

/* Every block up to now. */
static void hear_all(struct listener *l, const struct client *client)
{
    for (size_t i = 0; i < client->count; i++)
        hear_text(l, client->heard[i], strlen(client->heard[i]));
}

static void a_stream_begins_with_ready_and_its_cursor(void **state)
{
    struct listener l;
    listener_open(&l);
    hear_all(&l, stream(*state, NULL));
    assert_string_equal(l.type, "vigie:ready");
    assert_int_equal(strlen(l.id), SEAL_TEXT_LEN);
    assert_non_null(strstr(l.data.bytes, "\"user\":\"u7\",\"company\":\"acme\","
                                         "\"rooms\":[\"company:acme\",\"user:u7\"],"));
    assert_non_null(strstr(l.data.bytes, ",\"resumed\":false,\"heartbeat\":25}"));
    assert_non_null(strstr(l.data.bytes, l.id));
    assert_null(strstr(l.data.bytes, "expires"));
    listener_close(&l);
}

static void an_eventsource_goes_on_where_it_was(void **state)
{
    struct listener l;
    listener_open(&l);
    hear_all(&l, stream(*state, NULL));
    world_publish(*state, "acme", "company:acme", "{\"n\":1}");
    hear_all(&l, stream(*state, l.id));
    assert_heard(&l, "devis:made", "{\"n\":1}");
    int before = l.dispatched;
    hear_all(&l, stream(*state, l.id));
    assert_int_equal(l.dispatched, before + 1); /* ready alone */
    assert_non_null(strstr(l.data.bytes, "\"resumed\":true"));
    listener_close(&l);
}

static void an_eventsource_that_only_heard_heartbeats_goes_on_too(void **state)
{
    struct listener l;
    listener_open(&l);
    struct client *client = stream(*state, NULL);
    world_publish(*state, "rival", "company:rival", "{}");
    world_wait(*state, 26);
    hear_all(&l, client);
    assert_false(client->closed);
    assert_int_equal(l.dispatched, 1);
    int64_t seq = -1;
    struct world *world = *state;
    assert_int_equal(cursor_read(world->hub->codec, "acme", l.id, &seq), CURSOR_OK);
    assert_int_equal(seq, 1);
    listener_close(&l);
}

static void a_stream_is_not_dead_because_it_cannot_answer(void **state)
{
    struct client *client = stream(*state, NULL);
    world_wait(*state, 200);
    assert_false(client->closed);
}

static void a_cursor_that_does_not_hold_is_a_gap(void **state)
{
    struct listener l;
    listener_open(&l);
    hear_all(&l, stream(*state, "AAAAAAAAAAAAAAAAAAAAAA"));
    assert_int_equal(l.dispatched, 2);
    assert_string_equal(l.type, "vigie:gap");
    assert_non_null(strstr(l.data.bytes, "{\"reason\":\"cursor\",\"cursor\":\""));
    assert_non_null(strstr(l.data.bytes, l.id));
    listener_close(&l);
}

#define LISTENER(name) cmocka_unit_test_setup_teardown(name, open_listener, close_listener)
#define WORLD(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    static const struct CMUnitTest tests[] = {
        LISTENER(each_block_says_what_the_protocol_says),
        LISTENER(a_stream_begins_with_when_to_come_back),
        LISTENER(a_stream_ends_with_why),
        LISTENER(a_heartbeat_moves_the_id_and_dispatches_nothing),
        LISTENER(what_has_no_place_in_the_feed_leaves_the_id),
        LISTENER(a_line_end_in_a_payload_does_not_end_the_event),
        LISTENER(an_event_s_name_is_taken_to_the_letter),
        LISTENER(the_largest_event_fits_a_block),
        WORLD(a_stream_begins_with_ready_and_its_cursor),
        WORLD(an_eventsource_goes_on_where_it_was),
        WORLD(an_eventsource_that_only_heard_heartbeats_goes_on_too),
        WORLD(a_stream_is_not_dead_because_it_cannot_answer),
        WORLD(a_cursor_that_does_not_hold_is_a_gap),
    };
    return RUN(tests);
}
