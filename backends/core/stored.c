/* A file: magic, the SHA-256 of its name's parts, the SHA-256 of its content, content. */
#include "backends/core/stored.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/core/device.h"
#include "base/alloc.h"
#include "base/log.h"

static const char magic[8] = "KASBLOB1";
static const char ending[] = ".blob";

enum {
    HEADER_BYTES = sizeof magic + 2 * KAS_SHA256_SIZE,
    BLOB_BYTES_MAX = 64 << 20,
    FOLDER_BYTES_MAX = 256 << 20,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards folder */
static char folder[PATH_MAX];                            /* empty: nothing is kept */
static atomic_size_t hits, misses, writes;

kas_status kas_device_use_cache_directory(const char *path)
{
    if (path && strlen(path) >= sizeof folder)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "the device cache's folder has a name of %zu bytes",
                        strlen(path));
    pthread_mutex_lock(&lock);
    snprintf(folder, sizeof folder, "%s", path ? path : "");
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* False when nothing is kept. */
static bool get_folder(char out[PATH_MAX])
{
    pthread_mutex_lock(&lock);
    memcpy(out, folder, sizeof folder);
    pthread_mutex_unlock(&lock);
    return *out != 0;
}

bool kas_stored_is_kept(void)
{
    char in[PATH_MAX];
    return get_folder(in);
}

static bool name_file(const char *in, const char *kind, const kas_sha256 *key, char out[PATH_MAX])
{
    char hex[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(key, hex);
    int length = snprintf(out, PATH_MAX, "%s/%s-%s%s", in, kind, hex, ending);
    return length > 0 && length < PATH_MAX;
}

/* Gives up on something, which is then as if it had never been stored. */
static void give_up(kas_status status)
{
    kas_debug("stored", "%s", kas_status_message(status));
    kas_status_free(status);
}

/* ---- names ---- */

kas_sha256 kas_stored_key(const kas_stored_part *parts, size_t count)
{
    struct sha256_ctx context;
    kas_sha256 digest;
    sha256_init(&context);
    for (size_t i = 0; i < count; ++i) { /* each with its length, so that "ab", "c" is not "a", "bc" */
        uint64_t size = parts[i].size_bytes;
        sha256_update(&context, sizeof size, (const uint8_t *)&size);
        sha256_update(&context, parts[i].size_bytes, parts[i].data);
    }
    sha256_digest(&context, sizeof digest.bytes, digest.bytes);
    return digest;
}

/* ---- reading ---- */

static void make_header(const kas_sha256 *key, const void *data, size_t size, unsigned char out[HEADER_BYTES])
{
    kas_sha256 content = kas_sha256_of(data, size);
    memcpy(out, magic, sizeof magic);
    memcpy(out + sizeof magic, key->bytes, KAS_SHA256_SIZE);
    memcpy(out + sizeof magic + KAS_SHA256_SIZE, content.bytes, KAS_SHA256_SIZE);
}

/* Takes the header off, when what follows is what was written under this name. */
static bool unwrap(kas_bytes *file, const kas_sha256 *key)
{
    unsigned char header[HEADER_BYTES];
    if (file->size < HEADER_BYTES) return false;
    make_header(key, file->data + HEADER_BYTES, file->size - HEADER_BYTES, header);
    if (memcmp(file->data, header, HEADER_BYTES) != 0) return false;
    file->size -= HEADER_BYTES;
    memmove(file->data, file->data + HEADER_BYTES, file->size);
    return true;
}

static bool read_file(const char *path, const kas_sha256 *key, kas_bytes *out)
{
    kas_status status = kas_file_read(path, BLOB_BYTES_MAX, out);
    if (kas_status_code(status) == KAS_NOT_FOUND) {
        kas_status_free(status);
        return false;
    }
    if (status) {
        give_up(status);
        return false;
    }
    if (unwrap(out, key)) {
        utimensat(AT_FDCWD, path, NULL, 0); /* used now; where that cannot be noted it only goes sooner */
        return true;
    }
    kas_debug("stored", "%s is damaged: it will be written anew", path);
    kas_bytes_free(out);
    return false;
}

bool kas_stored_read(const char *kind, const kas_sha256 *key, kas_bytes *out)
{
    char in[PATH_MAX], path[PATH_MAX];
    *out = (kas_bytes){0};
    if (!get_folder(in) || !name_file(in, kind, key, path)) return false;
    bool found = read_file(path, key, out);
    atomic_fetch_add(found ? &hits : &misses, 1);
    return found;
}

/* ---- writing ---- */

typedef struct folder_size {
    uint64_t bytes;
    char oldest[NAME_MAX + 1]; /* the file that was unused for the longest time */
    struct timespec used;
} folder_size;

static bool is_older(struct timespec a, struct timespec b)
{
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

static void count_file(int at, const char *name, folder_size *size)
{
    struct stat info;
    size_t length = strlen(name);
    if (length < sizeof ending || strcmp(name + length - (sizeof ending - 1), ending) != 0) return;
    if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) || !S_ISREG(info.st_mode)) return;
    size->bytes += (uint64_t)info.st_size;
    if (*size->oldest && !is_older(info.st_mtim, size->used)) return;
    snprintf(size->oldest, sizeof size->oldest, "%s", name);
    size->used = info.st_mtim;
}

static folder_size measure(DIR *listing)
{
    folder_size size = {0};
    rewinddir(listing);
    for (const struct dirent *entry; (entry = readdir(listing));)
        count_file(dirfd(listing), entry->d_name, &size);
    return size;
}

static void make_room(const char *in)
{
    DIR *listing = opendir(in);
    if (!listing) return;
    for (folder_size size = measure(listing); size.bytes > FOLDER_BYTES_MAX; size = measure(listing))
        if (unlinkat(dirfd(listing), size.oldest, 0)) break;
    closedir(listing);
}

void kas_stored_write(const char *kind, const kas_sha256 *key, const void *data, size_t size_bytes)
{
    char in[PATH_MAX], path[PATH_MAX];
    if (!get_folder(in) || !name_file(in, kind, key, path) || size_bytes > BLOB_BYTES_MAX - HEADER_BYTES)
        return;
    unsigned char *file = kas_alloc(HEADER_BYTES + size_bytes);
    kas_status status = file ? kas_make_folders(in) : kas_out_of_memory();
    if (!status) {
        make_header(key, data, size_bytes, file);
        memcpy(file + HEADER_BYTES, data, size_bytes);
        status = kas_file_replace(path, file, HEADER_BYTES + size_bytes);
    }
    kas_free(file);
    if (status) {
        give_up(status);
        return;
    }
    atomic_fetch_add(&writes, 1);
    make_room(in);
}

kas_stored_counts kas_stored_get_counts(void)
{
    return (kas_stored_counts){
        .hits = atomic_load(&hits), .misses = atomic_load(&misses), .writes = atomic_load(&writes)};
}
