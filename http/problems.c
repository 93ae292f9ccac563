#include "http/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "http/respond.h"
#include "http/router.h"

enum { RETRY_AFTER_S = 1 };

static const struct {
    const char *name, *title;
    unsigned status;
    const char *meaning, *action;
} problems[KAS_PROBLEM_COUNT] = {
    [KAS_PROBLEM_MALFORMED] =
        {"malformed", "Malformed request", 400,
         "The body is not what its media type says: not JSON, not UTF-8, not an object, a member twice, NaN; "
         "or bytes that are not in the format that belongs here.",
         "Correct the body; the detail says where it stops making sense."},
    [KAS_PROBLEM_INVALID_VALUE] = {"invalid-value", "Invalid value", 422,
                                   "The request is well-formed, but a value in it is of the wrong type, out "
                                   "of range, or does not fit the layer.",
                                   "The detail names the value and what is allowed."},
    [KAS_PROBLEM_UNKNOWN_MEMBER] = {"unknown-member", "Unknown member", 422,
                                    "The body has a member that means nothing here. It is refused rather "
                                    "than ignored, so that a misspelt one is noticed.",
                                    "Remove or correct it; the API's description lists the members."},
    [KAS_PROBLEM_NOT_FOUND] = {"not-found", "Not found", 404,
                               "There is no such layer, seed, kernel, artifact, operation, device or page.",
                               "List what there is with GET on the collection; an artifact must be in the "
                               "registry, or be uploaded with PUT /v1/kernels/{id}."},
    [KAS_PROBLEM_METHOD_NOT_ALLOWED] = {"method-not-allowed", "Method not allowed", 405,
                                        "The path exists, but this method does nothing here.",
                                        "Use one of the methods in the Allow header."},
    [KAS_PROBLEM_NOT_ACCEPTABLE] =
        {"not-acceptable", "Not acceptable", 406,
         "None of the forms that this answer has is one that the Accept header allows.",
         "Accept application/json, or leave the header out."},
    [KAS_PROBLEM_UNSUPPORTED_MEDIA_TYPE] =
        {"unsupported-media-type", "Unsupported media type", 415,
         "The body's Content-Type, or its Content-Encoding, is none that this path takes.",
         "Send application/json, or application/octet-stream where bytes belong."},
    [KAS_PROBLEM_CONFLICT] = {"conflict", "Conflict", 409,
                              "The request is at odds with the present state: a name is taken, an id is "
                              "bound to other bytes, something is in use, quarantined or staged already.",
                              "Read the present state and decide anew; the reason member, where there is "
                              "one, says which conflict it is."},
    [KAS_PROBLEM_ILLEGAL_TRANSITION] = {"illegal-transition", "Illegal transition", 409,
                                        "The seed's lifecycle state does not allow this change.",
                                        "state is where the seed is, allowed lists what can be done there."},
    [KAS_PROBLEM_PRECONDITION_FAILED] =
        {"precondition-failed", "Precondition failed", 412,
         "The resource has changed since the ETag that If-Match names was read.",
         "Read it again, and repeat the change if it still makes sense."},
    [KAS_PROBLEM_TOO_LARGE] = {"too-large", "Too large", 413,
                               "The body, or what it asks for, is beyond a configured limit.",
                               "Send less at once, or have the limit raised (kasmina serve --help)."},
    [KAS_PROBLEM_INCOMPATIBLE_KERNEL] =
        {"incompatible-kernel", "Incompatible kernel", 422,
         "The kernel is valid, but this layer or device cannot take it: too many parameters, another shape, "
         "another kind of device, too much memory, or an operator that is not supported.",
         "The detail says which check failed; GET /v1/layers/{layer}/compatible-kernels lists kernels that "
         "fit."},
    [KAS_PROBLEM_INVALID_ARTIFACT] =
        {"invalid-artifact", "Invalid artifact", 422,
         "The artifact's bytes or metadata are refused: damaged, of an unknown format, at odds with their "
         "checksum, or with contents that are not allowed.",
         "POST /v1/kernels/validate lists the reasons; export the artifact again."},
    [KAS_PROBLEM_UNAUTHORIZED] = {"unauthorized", "Unauthorized", 401,
                                  "The request carries no credentials, or none that are known.",
                                  "Send Authorization: Bearer TOKEN."},
    [KAS_PROBLEM_FORBIDDEN] = {"forbidden", "Forbidden", 403,
                               "The credentials are known, but their role does not allow this.",
                               "Ask for a token with the role that is needed."},
    [KAS_PROBLEM_RATE_LIMITED] = {"rate-limited", "Too many requests", 429,
                                  "This client sends more requests than it may.",
                                  "Wait as long as Retry-After says."},
    [KAS_PROBLEM_UNAVAILABLE] =
        {"unavailable", "Unavailable", 503,
         "Something that is needed cannot serve now: the layer is out of service, a device or a remote is "
         "gone, memory is short, requests and answers under way hold as much of it as they may, too many "
         "connections are open, or the server is stopping.",
         "Try again after Retry-After; GET /v1/health says what is degraded and why."},
    [KAS_PROBLEM_NO_ROOM] = {"no-room", "No room in the kernel cache", 507,
                             "The kernel does not fit in the cache, and everything in it is in use or "
                             "pinned; or the disk of the data "
                             "folder is full.",
                             "Unload or unpin kernels, or have the cache's limits raised; make room on the "
                             "disk where the detail names a "
                             "file."},
    [KAS_PROBLEM_DEADLINE] = {"deadline", "Deadline passed", 504, "It took longer than it may.",
                              "Send less at once, or allow more time; /v1/errors tells what was slow."},
    [KAS_PROBLEM_INTERNAL] =
        {"internal", "Internal error", 500,
         "A defect of the server, or the operating system refused something that it needs.",
         "The log has more, under the trace_id; please report it."},
    [KAS_PROBLEM_NOT_ENABLED] = {"not-enabled", "Not enabled", 501,
                                 "This server does not offer this extension, or it is not turned on.",
                                 "GET /v2 lists the extensions that it has."},
};

unsigned kas_http_problem_status(kas_http_problem problem)
{
    return problems[problem].status;
}

const char *kas_http_problem_name(kas_http_problem problem)
{
    return problems[problem].name;
}

/* ---- refusing ---- */

void kas_http_refuse(kas_http_request *request, kas_http_problem problem, const char *format, ...)
{
    if (request->fault.problem) return;
    va_list args;
    va_start(args, format);
    vsnprintf(request->fault.detail, sizeof request->fault.detail, format, args);
    va_end(args);
    request->fault.problem = problem;
}

static kas_http_problem problem_of(kas_code code, const char *reason)
{
    switch (code) {
    case KAS_INVALID_ARGUMENT:
        return strcmp(reason, "unknown-member") == 0 ? KAS_PROBLEM_UNKNOWN_MEMBER : KAS_PROBLEM_INVALID_VALUE;
    case KAS_MALFORMED:
        return KAS_PROBLEM_MALFORMED;
    case KAS_NOT_FOUND:
        return KAS_PROBLEM_NOT_FOUND;
    case KAS_CONFLICT:
        return strcmp(reason, "precondition") == 0 ? KAS_PROBLEM_PRECONDITION_FAILED : KAS_PROBLEM_CONFLICT;
    case KAS_ILLEGAL_TRANSITION:
        return KAS_PROBLEM_ILLEGAL_TRANSITION;
    case KAS_INVALID_ARTIFACT:
        return KAS_PROBLEM_INVALID_ARTIFACT;
    case KAS_INCOMPATIBLE_KERNEL:
        return KAS_PROBLEM_INCOMPATIBLE_KERNEL;
    case KAS_UNSUPPORTED:
        return KAS_PROBLEM_INVALID_VALUE;
    case KAS_TOO_LARGE:
        return KAS_PROBLEM_TOO_LARGE;
    case KAS_NO_ROOM:
        return KAS_PROBLEM_NO_ROOM;
    case KAS_OUT_OF_MEMORY:
    case KAS_UNAVAILABLE:
    case KAS_DEVICE_LOST:
        return KAS_PROBLEM_UNAVAILABLE;
    case KAS_DEADLINE:
        return KAS_PROBLEM_DEADLINE;
    case KAS_CANCELLED:
        return KAS_PROBLEM_CONFLICT;
    default:
        return KAS_PROBLEM_INTERNAL;
    }
}

/* The engine's class of a failure that is not in its history; NULL: it is the caller's. */
static const char *error_type_of(kas_code code)
{
    switch (code) {
    case KAS_INVALID_ARTIFACT:
    case KAS_INCOMPATIBLE_KERNEL:
        return kas_error_type_name(KAS_ERROR_KERNEL_VALIDATION);
    case KAS_NO_ROOM:
    case KAS_OUT_OF_MEMORY:
        return kas_error_type_name(KAS_ERROR_MEMORY_OVERFLOW);
    case KAS_DEVICE_LOST:
        return kas_error_type_name(KAS_ERROR_DEVICE_ERROR);
    case KAS_DEADLINE:
        return kas_error_type_name(KAS_ERROR_TIMEOUT);
    case KAS_INTERNAL:
    case KAS_IO:
        return kas_error_type_name(KAS_ERROR_UNKNOWN);
    default:
        return NULL;
    }
}

/* Reasons are static storage, so they outlive the status. */
static const char *reason_of(kas_code code, const char *reason)
{
    if (code == KAS_CANCELLED && !*reason) return "cancelled";
    return *reason ? reason : NULL;
}

/* What whoever runs the server has to hear of, since the client can do nothing about it: a defect, and what
 * the operating system refused. */
static bool is_for_the_log(kas_status status)
{
    kas_code code = kas_status_code(status);
    return code == KAS_INTERNAL ||
           (kas_status_blame(status) == KAS_BLAME_ENGINE && kas_status_native(status)) ||
           (code == KAS_IO && kas_status_blame(status) != KAS_BLAME_CALLER);
}

void kas_http_fail(kas_http_request *request, kas_status status)
{
    kas_code code = kas_status_code(status);
    const char *reason = kas_status_reason(status);
    kas_http_fault *fault = &request->fault;
    if (fault->problem) {
        kas_status_free(status);
        return;
    }
    kas_http_refuse(request, problem_of(code, reason), "%s", kas_status_message(status));
    fault->reason = fault->problem == KAS_PROBLEM_UNKNOWN_MEMBER ? NULL : reason_of(code, reason);
    fault->error_type = error_type_of(code);
    if (code == KAS_ILLEGAL_TRANSITION) {
        fault->state = request->reply.state;
        memcpy(fault->allowed, request->reply.allowed, sizeof fault->allowed);
    }
    if (is_for_the_log(status))
        kas_error("http", "%s %s: %s (%s:%d) trace=%s", request->method, request->path,
                  kas_status_message(status), kas_status_file(status), kas_status_line(status),
                  request->trace_id);
    kas_status_free(status);
}

bool kas_http_failed(kas_http_request *request)
{
    kas_status status = request->status;
    request->status = NULL;
    if (!status) return false;
    kas_http_fail(request, status);
    return true;
}

/* ---- answering ---- */

static void write_allowed(kas_json *json, const kas_http_fault *fault)
{
    if (!fault->allowed[0] && !fault->allowed_methods && !fault->state) {
        kas_json_null(json, "allowed");
        return;
    }
    kas_json_open(json, "allowed", '[');
    for (size_t i = 0; i < KAS_ALLOWED_MAX && fault->allowed[i]; ++i)
        kas_json_text(json, NULL, fault->allowed[i]);
    for (uint32_t methods = fault->allowed_methods; methods; methods &= methods - 1) {
        kas_json_text(json, NULL, kas_http_method_name(methods & -methods));
        if (methods & -methods & KAS_HTTP_GET) kas_json_text(json, NULL, "HEAD");
    }
    kas_json_close(json, ']');
}

static bool can_be_retried(kas_http_problem problem)
{
    return problem == KAS_PROBLEM_UNAVAILABLE || problem == KAS_PROBLEM_RATE_LIMITED;
}

static void write_problem(kas_json *json, const char *name, const kas_http_fault *fault, const char *instance,
                          const char *trace_id)
{
    char type[64];
    snprintf(type, sizeof type, "/problems/%s", problems[fault->problem].name);
    kas_json_open(json, name, '{');
    kas_json_text(json, "type", type);
    kas_json_text(json, "title", problems[fault->problem].title);
    kas_json_uint(json, "status", problems[fault->problem].status);
    kas_json_text(json, "detail", fault->detail);
    kas_json_text(json, "instance", instance);
    kas_json_text(json, "error_type", fault->error_type);
    kas_json_text(json, "trace_id", trace_id);
    kas_json_text(json, "state", fault->state);
    write_allowed(json, fault);
    kas_json_text(json, "reason", fault->reason);
    if (can_be_retried(fault->problem))
        kas_json_uint(json, "retry_after_ms", RETRY_AFTER_S * 1000);
    else
        kas_json_null(json, "retry_after_ms");
    if (fault->unready) {
        kas_json_open(json, "unready", '[');
        for (uint32_t i = 0; i < fault->unready_count; ++i) {
            char operation[32];
            snprintf(operation, sizeof operation, "op-%llu", (unsigned long long)fault->unready[i].operation);
            kas_json_open(json, NULL, '{');
            kas_json_text(json, "layer", fault->unready[i].layer);
            kas_json_int(json, "seed", fault->unready[i].seed);
            kas_json_text(json, "operation", fault->unready[i].operation ? operation : NULL);
            kas_json_close(json, '}');
        }
        kas_json_close(json, ']');
    }
    kas_json_close(json, '}');
}

static void add_allow(kas_http_request *request, uint32_t methods)
{
    char text[64] = "";
    size_t used = 0;
    for (; methods; methods &= methods - 1) {
        uint32_t bit = methods & -methods;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s", used ? ", " : "",
                                 kas_http_method_name(bit), bit == KAS_HTTP_GET ? ", HEAD" : "");
    }
    kas_http_add_header(request, "Allow", "%s", text);
}

/* The last resort: an answer that needs no memory of ours. */
static void respond_bare(kas_http_request *request)
{
    kas_http_respond_static(
        request, 503, "application/problem+json",
        "{\"type\":\"/problems/unavailable\",\"title\":\"Unavailable\",\"status\":503,"
        "\"detail\":\"out of memory\",\"instance\":null,\"error_type\":\"memory_overflow\","
        "\"trace_id\":null,\"state\":null,\"allowed\":null,\"reason\":null,\"retry_after_ms\":1000}");
}

/* What the Open Inference Protocol has of a status. */
static unsigned protocol_status(unsigned status)
{
    if (status == 409 || status == 412 || status == 422 || status == 406 || status == 415) return 400;
    if (status == 429 || status == 504 || status == 507) return 503;
    return status;
}

static void respond_protocol_error(kas_http_request *request)
{
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_text(&json, "error", request->fault.detail);
    kas_json_close(&json, '}');
    if (request->fault.allowed_methods) add_allow(request, request->fault.allowed_methods);
    kas_http_respond_json(request, protocol_status(problems[request->fault.problem].status), &json);
}

void kas_http_respond_problem(kas_http_request *request)
{
    const kas_http_fault *fault = &request->fault;
    kas_json json;
    if (can_be_retried(fault->problem)) kas_http_add_header(request, "Retry-After", "%d", RETRY_AFTER_S);
    if (strncmp(request->path, "/v2", 3) == 0 && (!request->path[3] || request->path[3] == '/')) {
        respond_protocol_error(request);
        return;
    }
    kas_json_init(&json);
    write_problem(&json, NULL, fault, request->path, request->trace_id);
    if (fault->allowed_methods) add_allow(request, fault->allowed_methods);
    if (json.text.failed) {
        kas_json_finish(&json);
        respond_bare(request);
        return;
    }
    kas_http_respond_json_as(request, problems[fault->problem].status, "application/problem+json", &json);
}

/* ---- operations ---- */

static kas_http_fault fault_of_operation(const kas_operation_info *operation)
{
    const char *reason = operation->error_reason ? operation->error_reason : "";
    bool cancelled = operation->state == KAS_OPERATION_CANCELLED;
    kas_code code = cancelled ? KAS_CANCELLED : operation->error_code;
    kas_http_fault fault = {.problem = problem_of(code, reason), .reason = reason_of(code, reason)};
    const char *type = kas_error_type_name(operation->error_type);
    fault.error_type = type && *type ? type : NULL;
    snprintf(fault.detail, sizeof fault.detail, "%s",
             cancelled && !operation->error_detail[0] ? "the operation was cancelled"
                                                      : operation->error_detail);
    return fault;
}

void kas_http_write_operation_error(kas_json *json, const char *name, const kas_operation_info *operation)
{
    char instance[64];
    if (operation->state != KAS_OPERATION_FAILED && operation->state != KAS_OPERATION_CANCELLED) {
        kas_json_null(json, name);
        return;
    }
    kas_http_fault fault = fault_of_operation(operation);
    snprintf(instance, sizeof instance, "/v1/operations/op-%llu", (unsigned long long)operation->id);
    write_problem(json, name, &fault, instance, NULL);
}

void kas_http_fail_operation(kas_http_request *request, const kas_operation_info *operation)
{
    if (!request->fault.problem) request->fault = fault_of_operation(operation);
}

/* ---- pages ---- */

static kas_http_problem by_name(const char *name)
{
    for (kas_http_problem i = KAS_PROBLEM_MALFORMED; i < KAS_PROBLEM_COUNT; ++i) {
        if (strcmp(problems[i].name, name) == 0) return i;
    }
    return KAS_PROBLEM_NONE;
}

bool kas_http_problem_exists(const char *name)
{
    return by_name(name) != KAS_PROBLEM_NONE;
}

void kas_http_get_problem(kas_http_request *request)
{
    static const char html[] = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>"
                               "<h1>%s</h1><p>Status %u.</p><h2>What it means</h2><p>%s</p>"
                               "<h2>What to do</h2><p>%s</p></html>\n";
    static const char plain[] = "%s\n%s (status %u)\n\nWhat it means: %s\n\nWhat to do: %s\n";
    kas_http_problem problem = by_name(request->params[0]);
    bool as_html = request->answer & KAS_MEDIA_HTML;
    kas_text text;
    kas_text_init(&text, 1 << 16);
    kas_text_printf(&text, as_html ? html : plain, as_html ? problems[problem].title : problems[problem].name,
                    problems[problem].title, problems[problem].status, problems[problem].meaning,
                    problems[problem].action);
    if (text.failed) {
        kas_text_finish(&text);
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    kas_http_respond_bytes(request, 200, as_html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8",
                           text.bytes, text.length);
}
