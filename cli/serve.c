/* kasmina serve: an engine and its HTTP API in one process. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backends/core/device.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_writer.h"
#include "base/status.h"
#include "cli/commands.h"
#include "http/server.h"

enum { MB = 1 << 20, GRACE_S = 15 };
#define LOG_WAIT_NS (2 * KAS_NS_PER_S) /* for the reader of the log, at the end */

static const cli_option options[] = {
    {"listen", "ADDRESS:PORT", "KASMINA_LISTEN", "where to listen; port 0 takes a free one (127.0.0.1:8080)"},
    {"data-dir", "DIR", "KASMINA_DATA_DIR",
     "for uploaded artifacts and what drivers compile (./kasmina-data)"},
    {"artifact-dir", "DIR", "KASMINA_ARTIFACT_DIR",
     "the embedded registry: artifacts that can be loaded by id (none)"},
    {"trusted-keys", "KEYS", "KASMINA_TRUSTED_KEYS",
     "Ed25519 public keys in hex: the registry's artifacts must be signed by one (unsigned ones are taken)"},
    {"device", "DEVICE", "KASMINA_DEVICE", "what a layer's device 'auto' means (the first with room)"},
    {"threads", "N", "KASMINA_THREADS", "compute threads of the host device (number of cores)"},
    {"http-threads", "N", "KASMINA_HTTP_THREADS", "threads that serve HTTP (number of cores)"},
    {"loaders", "N", "KASMINA_LOADERS", "threads that fetch, decode and upload kernels (2)"},
    {"cache-mb", "MB", "KASMINA_CACHE_MB", "kernels on devices: MiB (512)"},
    {"cache-entries", "N", "KASMINA_CACHE_ENTRIES", "kernels on devices: how many (128)"},
    {"deadline-ms", "MS", "KASMINA_DEADLINE_MS", "how long a kernel may take in a pass (10000)"},
    {"device-grace-ms", "MS", "KASMINA_DEVICE_GRACE_MS",
     "beyond that a device that is still away is lost (30000)"},
    {"max-body-mb", "MB", "KASMINA_MAX_BODY_MB", "largest body of a request, in MiB (64)"},
    {"max-weights-mb", "MB", "KASMINA_MAX_WEIGHTS_MB", "largest weights of a layer, in MiB (1024)"},
    {"max-artifact-mb", "MB", "KASMINA_MAX_ARTIFACT_MB", "largest artifact, in MiB (256)"},
    {"max-in-flight-mb", "MB", "KASMINA_MAX_IN_FLIGHT_MB",
     "bodies and answers that are held at once, all together, in MiB (2048)"},
    {"max-header-kb", "KB", "KASMINA_MAX_HEADER_KB", "largest head of a request, in KiB (16)"},
    {"max-connections", "N", "KASMINA_MAX_CONNECTIONS", "open at the same time (10000)"},
    {"idle-timeout-s", "S", "KASMINA_IDLE_TIMEOUT_S",
     "a connection without traffic is closed after this (60)"},
    {"header-timeout-s", "S", "KASMINA_HEADER_TIMEOUT_S",
     "a request's head must have come in after this (10)"},
    {"token-file", "FILE", "KASMINA_TOKEN_FILE",
     "bearer tokens that are asked for, one a line: ROLE SHA256-HEX NAME (none)"},
    {"allow-anyone", NULL, "KASMINA_ALLOW_ANYONE",
     "listen where others can reach it although nobody is asked for credentials (off)"},
    {"log-level", "LEVEL", "KASMINA_LOG_LEVEL", "debug, info, warning, error or critical (info)"},
};

typedef struct serve_settings {
    kas_engine_options engine;
    kas_http_options http;
} serve_settings;

/* ---- options ---- */

typedef struct number { /* an option that is one: where it goes, in which unit */
    const char *name;
    long long max;
    uint64_t unit;
    uint64_t *wide; /* one of the two */
    uint32_t *narrow;
} number;

static bool read_numbers(const cli_arguments *arguments, serve_settings *out)
{
    uint64_t body = 0, weights = 0, in_flight = 0, header = 0, deadline = 0, grace = 0;
    const number numbers[] = {
        {"threads", 1024, 1, NULL, &out->engine.threads},
        {"http-threads", 1024, 1, NULL, &out->http.threads},
        {"loaders", 64, 1, NULL, &out->engine.loaders},
        {"cache-mb", 1 << 24, MB, &out->engine.cache_bytes, NULL},
        {"cache-entries", 1 << 20, 1, NULL, &out->engine.cache_entries},
        {"deadline-ms", 3600000, KAS_NS_PER_MS, &deadline, NULL},
        {"device-grace-ms", 3600000, KAS_NS_PER_MS, &grace, NULL},
        {"max-body-mb", 1 << 14, MB, &body, NULL},
        {"max-weights-mb", 1 << 20, MB, &weights, NULL},
        {"max-artifact-mb", 1 << 20, MB, &out->engine.artifact_bytes, NULL},
        {"max-in-flight-mb", 1 << 20, MB, &in_flight, NULL},
        {"max-header-kb", 1024, 1024, &header, NULL},
        {"max-connections", 1000000, 1, NULL, &out->http.max_connections},
        {"idle-timeout-s", 86400, 1, NULL, &out->http.idle_timeout_s},
        {"header-timeout-s", 3600, 1, NULL, &out->http.header_timeout_s},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
        long long value = 0;
        if (!cli_integer(arguments, numbers[i].name, 1, numbers[i].max, &value)) return false;
        if (numbers[i].narrow) *numbers[i].narrow = (uint32_t)value;
        if (numbers[i].wide) *numbers[i].wide = (uint64_t)value * numbers[i].unit;
    }
    out->engine.deadline_ns = (int64_t)deadline;
    out->engine.grace_ns = (int64_t)grace;
    out->http.body_bytes = body;
    out->http.weights_bytes = weights;
    out->http.in_flight_bytes = in_flight;
    out->http.header_bytes = header;
    out->http.artifact_bytes = out->engine.artifact_bytes;
    return true;
}

static int read_settings(const cli_arguments *arguments, serve_settings *out)
{
    const char *level_name = cli_value(arguments, "log-level");
    kas_log_level level = KAS_LOG_INFO;
    *out = (serve_settings){.engine = {.size = sizeof out->engine, .device = "auto"}};
    if (level_name && !kas_log_parse_level(level_name, &level))
        return cli_usage_error(arguments->command,
                               "--log-level '%s': debug, info, warning, error or critical is wanted",
                               level_name);
    if (!read_numbers(arguments, out)) return CLI_USAGE;
    kas_log_set(level, NULL, NULL);
    out->http.listen = cli_value(arguments, "listen");
    out->http.token_file = cli_value(arguments, "token-file");
    if (!cli_setting(arguments, "allow-anyone", &out->http.allow_anyone)) return CLI_USAGE;
    out->engine.data_dir = cli_value(arguments, "data-dir");
    if (!out->engine.data_dir) out->engine.data_dir = "kasmina-data";
    out->engine.artifact_dir = cli_value(arguments, "artifact-dir");
    out->engine.trusted_keys = cli_value(arguments, "trusted-keys");
    const char *device = cli_value(arguments, "device");
    if (device) out->engine.device = device;
    return CLI_OK;
}

/* ---- running ---- */

/* Ends the command with a status' message: an argument that makes no sense is the caller's, all else a
 * failure. */
static int complain(kas_status status)
{
    int code = kas_status_code(status) == KAS_INVALID_ARGUMENT ? CLI_USAGE : CLI_FAILED;
    cli_failure("%s", kas_status_message(status));
    kas_status_free(status);
    return code;
}

/* A connection is an open file. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void wait_for_signal(const sigset_t *signals)
{
    int signal;
    if (sigwait(signals, &signal) == 0) kas_info("serve", "%s: stopping", strsignal(signal));
}

/* The host is always there; any other is looked for, which may load a driver. */
static kas_status check_device(const char *device)
{
    char id[KAS_DEVICE_ID_SIZE];
    if (strcmp(device, "host:0") == 0 || strcmp(device, "auto") == 0) return NULL;
    return kas_device_resolve(device, id);
}

/* The first thing that whoever reads a log wants to know. */
static void tell_setup(const serve_settings *settings, const char *url)
{
    const char *artifacts = settings->engine.artifact_dir;
    kas_info("serve", "kasmina %s at %s: data in %s, artifacts from %s, device %s, %s", kas_version(), url,
             settings->engine.data_dir, artifacts ? artifacts : "uploads alone", settings->engine.device,
             settings->http.token_file ? "tokens are asked for" : "nobody is asked for a token");
}

/* Returns when a signal came and everything was answered. */
static int serve(kas_engine *engine, const serve_settings *settings, const sigset_t *signals)
{
    kas_http_server *server;
    kas_http_options http = settings->http;
    http.engine = engine;
    kas_status status = check_device(settings->engine.device);
    if (!status) status = kas_http_start(&http, &server);
    if (status) return complain(status);
    tell_setup(settings, kas_http_url(server));
    printf("kasmina: listening on %s\n", kas_http_url(server));
    fflush(stdout);
    wait_for_signal(signals);
    status = kas_http_stop(server, GRACE_S * KAS_NS_PER_S);
    if (!status) {
        kas_info("serve", "stopped");
        return CLI_OK;
    }
    kas_log(KAS_LOG_CRITICAL, "serve", "%s", kas_status_message(status));
    (void)kas_log_writer_stop(LOG_WAIT_NS);
    _exit(CLI_FAILED); /* the server's threads still use the engine */
}

static bool is_ignored(int signal)
{
    struct sigaction present;
    return sigaction(signal, NULL, &present) == 0 && present.sa_handler == SIG_IGN;
}

/* Before any thread is made, so that only sigwait sees the signals that end the server in order. A terminal
 * that closes is one, unless nohup said otherwise. What is written beyond a limit fails and is answered. */
static void take_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    if (!is_ignored(SIGHUP)) sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static int run(const cli_arguments *arguments)
{
    serve_settings settings;
    sigset_t signals;
    kas_engine *engine = NULL;
    int code = read_settings(arguments, &settings);
    if (code != CLI_OK) return code;
    take_signals(&signals);
    raise_file_limit();
    kas_status status = kas_http_check_address(&settings.http);
    if (!status) status = kas_log_writer_start();
    if (!status) status = kas_engine_create(&settings.engine, &engine);
    code = status ? complain(status) : serve(engine, &settings, &signals);
    kas_engine_destroy(engine);
    (void)kas_log_writer_stop(LOG_WAIT_NS); /* who does not read it is not waited for */
    return code;
}

const cli_command cli_serve = {
    .name = "serve",
    .operands = "",
    .summary = "Serves the HTTP API until SIGTERM, SIGINT or SIGHUP",
    .examples = "  kasmina serve --listen 127.0.0.1:8080 --artifact-dir ./artifacts\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .run = run,
};
