/* A crowd beside which others are measured: connections that have asked once and are idle, and clients in the
 * middle of a body that send a byte a second, spread evenly over the second.
 *
 * slow_clients PORT IDLE SLOW: prints "ready" when all are connected, goes on until its standard input ends,
 * and prints how many bytes it has sent since and in how many milliseconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { TICKS_PER_SECOND = 500, CLIENTS_MAX = 50000 };

static const char asked_once[] = "GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n";
static const char begun[] =
    "POST /v1/layers/bench/forward HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";

static void fail(const char *what)
{
    fprintf(stderr, "slow_clients: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int yes = 1;
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (client < 0) fail("making a socket");
    if (connect(client, (const struct sockaddr *)&address, sizeof address)) fail("connecting");
    if (setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes)) fail("setting TCP_NODELAY");
    return client;
}

static void send_all(int client, const char *bytes, size_t size)
{
    if (send(client, bytes, size, MSG_NOSIGNAL) != (ssize_t)size) fail("sending");
}

static void make_idle(uint16_t port, unsigned count)
{
    char answer[4096];
    for (unsigned i = 0; i < count; ++i) {
        int client = connect_to(port);
        send_all(client, asked_once, strlen(asked_once));
        if (recv(client, answer, sizeof answer, 0) <= 0) fail("receiving an answer");
    }
}

static int *make_slow(uint16_t port, unsigned count)
{
    int *clients = calloc(count + 1, sizeof *clients);
    if (!clients) fail("allocating");
    for (unsigned i = 0; i < count; ++i) {
        clients[i] = connect_to(port);
        send_all(clients[i], begun, strlen(begun));
    }
    return clients;
}

static int start_ticking(void)
{
    const struct timespec tick = {.tv_nsec = 1000000000 / TICKS_PER_SECOND};
    const struct itimerspec every = {.it_interval = tick, .it_value = tick};
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    if (timer < 0 || timerfd_settime(timer, 0, &every, NULL)) fail("making a timer");
    return timer;
}

/* At each tick the next part of the clients sends a byte, so that each has sent one when a second is over.
 * Returns how many bytes were sent. */
static uint64_t drip(int timer, const int *clients, unsigned count)
{
    struct pollfd events[] = {{.fd = timer, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    uint64_t ticks = 0, bytes = 0, more;
    for (;;) {
        if (poll(events, 2, -1) < 0 && errno != EINTR) fail("waiting");
        if (events[1].revents) return bytes;
        if (!events[0].revents) continue;
        if (read(timer, &more, sizeof more) != sizeof more) fail("reading the timer");
        for (; more > 0; --more, ++ticks) {
            uint64_t tick = ticks % TICKS_PER_SECOND;
            for (uint64_t i = tick * count / TICKS_PER_SECOND; i < (tick + 1) * count / TICKS_PER_SECOND;
                 ++i, ++bytes)
                send_all(clients[i], "x", 1);
        }
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static unsigned long number(const char *text, unsigned long max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (!*text || *end || value > max) {
        fprintf(stderr, "slow_clients: '%s' is not a number up to %lu\n", text, max);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc != 4) {
        fprintf(stderr, "usage: slow_clients PORT IDLE SLOW\n");
        return 2;
    }
    uint16_t port = (uint16_t)number(argv[1], UINT16_MAX);
    unsigned idle = (unsigned)number(argv[2], CLIENTS_MAX), slow = (unsigned)number(argv[3], CLIENTS_MAX);
    if (getrlimit(RLIMIT_NOFILE, &files)) fail("reading the limit of open files");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files)) fail("raising the limit of open files");
    make_idle(port, idle);
    int *clients = make_slow(port, slow);
    int timer = start_ticking();
    printf("ready\n");
    fflush(stdout);
    uint64_t since_ms = now_ms(), bytes = drip(timer, clients, slow);
    printf("%" PRIu64 " %" PRIu64 "\n", bytes, now_ms() - since_ms);
    free(clients);
    return 0;
}
