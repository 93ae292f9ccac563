#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server.h"

typedef union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} socket_address;

enum { HOST_SIZE = 64, BACKLOG = 1024 };

static kas_status not_an_address(const char *text)
{
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                    "'%s' is not an address to listen on; write HOST:PORT, such as 127.0.0.1:8080", text);
}

static kas_status split(const char *text, char host[HOST_SIZE], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t digits = colon ? strlen(colon + 1) : 0;
    if (digits == 0 || digits > 5 || strspn(colon + 1, "0123456789") != digits) return not_an_address(text);
    unsigned long number = strtoul(colon + 1, NULL, 10);
    size_t length = (size_t)(colon - text);
    if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
        ++text;
        length -= 2;
    }
    if (number > UINT16_MAX || length == 0 || length >= HOST_SIZE) return not_an_address(text);
    memcpy(host, text, length);
    host[length] = 0;
    *port = (uint16_t)number;
    return NULL;
}

/* Names are not looked up, but for the one that everybody means the same by. */
static kas_status parse(const char *text, bool anyone, socket_address *out)
{
    char host[HOST_SIZE];
    uint16_t port;
    KAS_TRY(split(text, host, &port));
    *out = (socket_address){.any.sa_family = AF_UNSPEC};
    const char *literal = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    bool loopback;
    if (inet_pton(AF_INET, literal, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        loopback = ntohl(out->v4.sin_addr.s_addr) >> 24 == 127;
    } else if (inet_pton(AF_INET6, literal, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        loopback = IN6_IS_ADDR_LOOPBACK(&out->v6.sin6_addr);
    } else {
        return not_an_address(text);
    }
    if (loopback || anyone) return NULL;
    return kas_fail(
        KAS_INVALID_ARGUMENT, CALLER,
        "%s can be reached by others, and nobody is asked for credentials: give --token-file FILE, listen on "
        "127.0.0.1 or [::1], or say --allow-anyone",
        text);
}

static bool is_for_anyone(const kas_http_options *options)
{
    return options->token_file || options->allow_anyone;
}

kas_status kas_http_check_address(const kas_http_options *options)
{
    socket_address address;
    return options->listen ? parse(options->listen, is_for_anyone(options), &address) : NULL;
}

static socklen_t size_of(const socket_address *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

static kas_status write_url(int listener, char *url, size_t size)
{
    socket_address bound = {0};
    char host[INET6_ADDRSTRLEN];
    socklen_t length = sizeof bound;
    if (getsockname(listener, &bound.any, &length) != 0)
        return kas_fail_os(errno, "asking for the port that was bound");
    bool v4 = bound.any.sa_family == AF_INET;
    inet_ntop(bound.any.sa_family, v4 ? (const void *)&bound.v4.sin_addr : (const void *)&bound.v6.sin6_addr,
              host, sizeof host);
    snprintf(url, size, v4 ? "http://%s:%u" : "http://[%s]:%u", host,
             ntohs(v4 ? bound.v4.sin_port : bound.v6.sin6_port));
    return NULL;
}

static kas_status bind_to(int listener, const socket_address *address, const char *text)
{
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, &address->any, size_of(address)) != 0 || listen(listener, BACKLOG) != 0)
        return kas_fail_os(errno, "cannot listen on %s", text);
    return NULL;
}

kas_status kas_http_listen(const kas_http_options *options, int *out, char *url, size_t url_size)
{
    const char *text = options->listen;
    socket_address address;
    KAS_TRY(parse(text, is_for_anyone(options), &address));
    int listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return kas_fail_os(errno, "making a socket");
    kas_status status = bind_to(listener, &address, text);
    if (!status) status = write_url(listener, url, url_size);
    if (status)
        close(listener);
    else
        *out = listener;
    return status;
}
