/* Seven lines: a version, checksum, size, format, time, id, metadata; then the CRC-32C of all before it. */
#include "engine/cache/disk_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum { RECORD_MAX = 1 << 21, CRC_LINE = 9 /* eight hex digits and a newline */ };
static const char version_line[] = "kasmina-artifact 1";

kas_status kas_disk_record_text(const kas_record *record, char **out, size_t *size_bytes)
{
    char *json;
    KAS_TRY(kas_metadata_text(&record->metadata, &json));
    char checksum[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(&record->checksum, checksum);
    kas_text text;
    kas_text_init(&text, RECORD_MAX);
    kas_text_printf(&text, "%s\n%s\n%" PRIu64 "\n%s\n%" PRId64 "\n%s\n%s\n", version_line, checksum,
                    record->size_bytes, record->format, record->seen_ns, record->artifact_id, json);
    kas_free(json);
    if (!text.failed) kas_text_printf(&text, "%08" PRIx32 "\n", kas_crc32c(0, text.bytes, text.length));
    if (text.failed) {
        kas_text_finish(&text);
        return kas_out_of_memory();
    }
    *out = text.bytes;
    *size_bytes = text.length;
    return NULL;
}

static kas_status damaged(const char *what)
{
    return kas_fail(KAS_MALFORMED, ENGINE, "the record is damaged: %s", what);
}

/* The next line of *rest (NUL-terminated in place); NULL: there is none. */
static char *next_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');
    if (!end) return NULL;
    *end = 0;
    *rest = end + 1;
    return line;
}

static kas_status parse_lines(char *text, kas_record *record)
{
    enum { VERSION, CHECKSUM, SIZE, FORMAT, SEEN, ID, METADATA, LINES };
    char *lines[LINES];
    for (int i = 0; i < LINES; ++i) {
        lines[i] = next_line(&text);
        if (!lines[i]) return damaged("lines are missing");
    }
    if (strcmp(lines[VERSION], version_line) != 0) return damaged("unknown version");
    if (!kas_sha256_parse(lines[CHECKSUM], &record->checksum)) return damaged("not a checksum");
    if (strlen(lines[ID]) >= sizeof record->artifact_id) return damaged("the artifact id is too long");
    record->size_bytes = strtoull(lines[SIZE], NULL, 10);
    record->seen_ns = strtoll(lines[SEEN], NULL, 10);
    record->uploaded = true;
    snprintf(record->format, sizeof record->format, "%s", lines[FORMAT]);
    memcpy(record->artifact_id, lines[ID], strlen(lines[ID]) + 1);
    return kas_metadata_parse(lines[METADATA], strlen(lines[METADATA]), &record->metadata);
}

static kas_status parse_copy(char *text, size_t size_bytes, const kas_record **out)
{
    if (strlen(text) != size_bytes) return damaged("it contains a zero byte");
    size_t body = size_bytes - CRC_LINE;
    char *end;
    unsigned long crc = strtoul(text + body, &end, 16);
    if (end != text + size_bytes - 1 || crc != kas_crc32c(0, text, body))
        return damaged("its CRC does not match");
    text[body] = 0;
    kas_record record = {0};
    kas_status status = parse_lines(text, &record);
    if (!status) status = kas_record_create(&record, out);
    if (status) kas_metadata_finish(&record.metadata);
    return status;
}

kas_status kas_disk_record_parse(const void *text, size_t size_bytes, const kas_record **out)
{
    if (size_bytes <= CRC_LINE || size_bytes > RECORD_MAX) return damaged("its size is out of range");
    char *copy = kas_alloc(size_bytes + 1);
    if (!copy) return kas_out_of_memory();
    memcpy(copy, text, size_bytes);
    copy[size_bytes] = 0;
    kas_status status = parse_copy(copy, size_bytes, out);
    kas_free(copy);
    return status;
}
