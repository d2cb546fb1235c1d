#include "unit.h"

#include "base/mem.h"
#include "ws/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GUESTS_MAX = 256 };

/* A listener on loopback, and what it took in. */
struct door {
    struct loop *loop;
    struct loop_timer *bell;
    struct acceptor acceptor;
    double accepted;
    double rejected[ACCEPT_REFUSAL_COUNT];
    double late;
    bool closed; /* nothing is taken over */
    struct peer *dropped;
    struct peer *peers[GUESTS_MAX];
    int fds[GUESTS_MAX];
    unsigned count;
};

static bool take(void *arg, int fd, struct peer *peer)
{
    struct door *door = arg;
    if (door->closed) {
        close(fd);
        return false;
    }
    door->fds[door->count] = fd;
    door->peers[door->count++] = peer;
    return true;
}

static void drop(void *arg, struct peer *peer)
{
    struct door *door = arg;
    door->dropped = peer;
    loop_stop(door->loop);
}

static void on_bell(void *arg)
{
    loop_stop(((struct door *)arg)->loop);
}

static bool open_at(struct door *door, const char *address)
{
    struct err err = {0};
    *door = (struct door){.loop = loop_new()};
    door->bell = loop_timer_new(door->loop, on_bell, door);
    door->acceptor.accepted = &door->accepted;
    door->acceptor.rejected = door->rejected;
    door->acceptor.take = take;
    door->acceptor.drop = drop;
    door->acceptor.late = &door->late;
    door->acceptor.patience_ms = 60000;
    door->acceptor.arg = door;
    door->acceptor.limits = (struct accept_limits){100, 100, 100};
    if (!acceptor_open(&door->acceptor, door->loop, address, 0, &err))
        return false;
    acceptor_start(&door->acceptor);
    return true;
}

static int open_door(void **state)
{
    struct door *door = mem_new(sizeof *door);
    *state = door;
    return open_at(door, "127.0.0.1") ? 0 : -1;
}

static void let_go(struct door *door, unsigned index)
{
    peer_free(door->peers[index]);
    close(door->fds[index]);
    door->peers[index] = NULL;
}

static void shut(struct door *door)
{
    for (unsigned i = 0; i < door->count; i++)
        if (door->peers[i])
            let_go(door, i);
    assert_int_equal(door->acceptor.count, 0);
    assert_int_equal(door->acceptor.unauthenticated, 0);
    assert_null(door->acceptor.addresses);
    acceptor_free(&door->acceptor);
    loop_timer_free(door->bell);
    loop_free(door->loop);
}

static int close_door(void **state)
{
    shut(*state);
    free(*state);
    return 0;
}

/* All that the kernel has for the loop is done: what connects over loopback is there at once. */
static void turn(struct door *door)
{
    loop_timer_start(door->bell, 0, 0);
    loop_run(door->loop);
    loop_timer_start(door->bell, 1, 0);
    loop_run(door->loop);
}

static int knock_from(struct door *door, const char *from)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)door->acceptor.port)};
    struct sockaddr_in self = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    inet_pton(AF_INET, from, &self.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&self, sizeof self), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int knock(struct door *door)
{
    return knock_from(door, "127.0.0.1");
}

/* Knocks, lets the loop turn, and leaves again: was it let in? */
static bool is_let_in(struct door *door, const char *from)
{
    unsigned before = door->count;
    int fd = knock_from(door, from);
    turn(door);
    close(fd);
    return door->count > before;
}

/* A refusal is a reset. */
static bool was_reset(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    return got < 0 && errno == ECONNRESET;
}

static void a_client_is_taken_in_with_its_address(void **state)
{
    struct door *door = *state;
    assert_true(is_let_in(door, "127.0.0.9"));
    assert_string_equal(door->peers[0]->text, "127.0.0.9");
    assert_int_equal((int)door->accepted, 1);
    assert_int_equal(door->acceptor.count, 1);
    assert_int_equal(door->acceptor.unauthenticated, 1);
}

static void a_socket_is_made_ready_for_small_frames(void **state)
{
    struct door *door = *state;
    int on = 0;
    int bytes = 0;
    socklen_t len = sizeof on;
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_int_equal(getsockopt(door->fds[0], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on);
    assert_int_equal(getsockopt(door->fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, &len), 0);
    assert_true(bytes <= 2 * 128 * 1024);
    assert_true(fcntl(door->fds[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(door->fds[0], F_GETFD) & FD_CLOEXEC);
}

static void a_full_house_refuses_with_a_reset(void **state)
{
    struct door *door = *state;
    door->acceptor.limits = (struct accept_limits){2, 100, 100};
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_true(is_let_in(door, "127.0.0.2"));
    int fd = knock(door);
    turn(door);
    assert_true(was_reset(fd));
    close(fd);
    assert_int_equal((int)door->rejected[ACCEPT_MAX_SESSIONS], 1);
    let_go(door, 0);
    assert_true(is_let_in(door, "127.0.0.3"));
}

static void one_address_does_not_fill_the_house(void **state)
{
    struct door *door = *state;
    door->acceptor.limits = (struct accept_limits){100, 2, 100};
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_false(is_let_in(door, "127.0.0.1"));
    assert_true(is_let_in(door, "127.0.0.2"));
    assert_int_equal((int)door->rejected[ACCEPT_ADDRESS_LIMIT], 1);
    let_go(door, 1);
    assert_true(is_let_in(door, "127.0.0.1"));
}

static void strangers_have_a_limit_that_guests_do_not_count_for(void **state)
{
    struct door *door = *state;
    door->acceptor.limits = (struct accept_limits){100, 100, 2};
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_false(is_let_in(door, "127.0.0.1"));
    assert_int_equal((int)door->rejected[ACCEPT_UNAUTHENTICATED_LIMIT], 1);
    peer_authenticated(door->peers[0]);
    peer_authenticated(door->peers[0]); /* counts once */
    assert_int_equal(door->acceptor.unauthenticated, 1);
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_false(is_let_in(door, "127.0.0.1"));
}

static void a_house_without_limits_takes_all(void **state)
{
    struct door *door = *state;
    door->acceptor.limits = (struct accept_limits){0, 0, 0};
    for (int i = 0; i < 5; i++)
        assert_true(is_let_in(door, "127.0.0.1"));
}

static void one_that_cannot_be_had_is_forgotten(void **state)
{
    struct door *door = *state;
    door->closed = true;
    assert_false(is_let_in(door, "127.0.0.1"));
    assert_int_equal(door->acceptor.count, 0);
    assert_null(door->acceptor.addresses);
}

static void many_at_once_are_all_taken(void **state)
{
    struct door *door = *state;
    int fds[90];
    for (int i = 0; i < 90; i++)
        fds[i] = knock(door);
    for (int i = 0; i < 4; i++)
        turn(door);
    assert_int_equal(door->count, 90);
    for (int i = 0; i < 90; i++)
        close(fds[i]);
}

static int freed_guests;

static void drop_guest(void *guest)
{
    assert_string_equal(guest, "guest");
    freed_guests++;
}

static void what_the_gate_left_goes_with_the_peer(void **state)
{
    static char guest[] = "guest";
    struct door *door = *state;
    freed_guests = 0;
    assert_true(is_let_in(door, "127.0.0.1"));
    door->peers[0]->guest = guest;
    door->peers[0]->drop_guest = drop_guest;
    let_go(door, 0);
    assert_int_equal(freed_guests, 1);
    peer_free(NULL);
}

static void a_closed_door_takes_nobody_and_peers_stay(void **state)
{
    struct door *door = *state;
    assert_true(is_let_in(door, "127.0.0.1"));
    acceptor_close(&door->acceptor);
    acceptor_close(&door->acceptor); /* again does no harm */
    assert_int_equal(door->acceptor.count, 1);
}

/* ---- patience ---- */

static void one_that_takes_too_long_over_its_headers_is_dropped(void **state)
{
    struct door *door = *state;
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_true(is_let_in(door, "127.0.0.2"));
    door->acceptor.patience_ms = 1;
    peer_settled(door->peers[0]);
    peer_settled(door->peers[0]); /* again does no harm */
    loop_run(door->loop);
    assert_ptr_equal(door->dropped, door->peers[1]);
    assert_int_equal((int)door->late, 1);
    assert_null(door->acceptor.waiting);
}

static void the_patience_is_for_each_alone(void **state)
{
    struct door *door = *state;
    assert_true(is_let_in(door, "127.0.0.1"));
    assert_true(is_let_in(door, "127.0.0.2"));
    door->peers[0]->since_ms -= 60000;
    loop_run(door->loop);
    assert_ptr_equal(door->dropped, door->peers[0]);
    assert_ptr_equal(door->acceptor.waiting, door->peers[1]);
}

/* ---- no descriptor left ---- */

/* No more descriptors than are open now; returns the limit that was. */
static rlim_t close_the_taps(void)
{
    struct rlimit limit;
    int lowest = dup(0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t was = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return was;
}

static void open_the_taps(rlim_t was)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = was;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void without_a_descriptor_clients_are_refused_and_each_counts_once(void **state)
{
    struct door *door = *state;
    int a = knock(door);
    int b = knock(door);
    rlim_t was = close_the_taps();
    turn(door);
    open_the_taps(was);
    assert_true(was_reset(a));
    assert_true(was_reset(b));
    assert_int_equal((int)door->rejected[ACCEPT_NO_DESCRIPTOR], 2);
    assert_int_equal(door->count, 0);
    assert_true(is_let_in(door, "127.0.0.1"));
    close(a);
    close(b);
}

/* ---- addresses ---- */

static void an_ipv6_client_counts_by_its_network(void **state)
{
    (void)state;
    struct door *door = mem_new(sizeof *door);
    if (!open_at(door, "::1")) {
        loop_timer_free(door->bell);
        loop_free(door->loop);
        free(door);
        skip();
    }
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)door->acceptor.port)};
    to.sin6_addr = in6addr_loopback;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    turn(door);
    assert_string_equal(door->peers[0]->text, "::1");
    assert_string_equal(door->peers[0]->address->text, "::"); /* ::/64 */
    close(fd);
    shut(door);
    free(door);
}

static void what_cannot_be_listened_on_is_told(void **state)
{
    struct door *door = *state;
    struct acceptor other = {0};
    struct err err = {0};
    assert_false(acceptor_open(&other, door->loop, "localhost", 0, &err));
    assert_non_null(strstr(err.text, "localhost is not a numeric address"));
    assert_false(acceptor_open(&other, door->loop, "127.0.0.1", door->acceptor.port, &err));
    assert_non_null(strstr(err.text, "in use"));
    assert_false(acceptor_open(&other, door->loop, "192.0.2.1", 0, &err));
    assert_int_equal(other.fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_door, close_door)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_client_is_taken_in_with_its_address),
        TEST(a_socket_is_made_ready_for_small_frames),
        TEST(a_full_house_refuses_with_a_reset),
        TEST(one_address_does_not_fill_the_house),
        TEST(strangers_have_a_limit_that_guests_do_not_count_for),
        TEST(a_house_without_limits_takes_all),
        TEST(one_that_cannot_be_had_is_forgotten),
        TEST(many_at_once_are_all_taken),
        TEST(what_the_gate_left_goes_with_the_peer),
        TEST(a_closed_door_takes_nobody_and_peers_stay),
        TEST(one_that_takes_too_long_over_its_headers_is_dropped),
        TEST(the_patience_is_for_each_alone),
        TEST(without_a_descriptor_clients_are_refused_and_each_counts_once),
        TEST(an_ipv6_client_counts_by_its_network),
        TEST(what_cannot_be_listened_on_is_told),
    };
    return RUN(tests);
}
