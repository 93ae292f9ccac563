/* backends/core/stored.c: what drivers made, kept on disk; whatever is wrong with it costs time only. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/core/device.h"
#include "backends/core/stored.h"

static char folder[64];

static void use_new_folder(void)
{
    strcpy(folder, "/tmp/kasmina-stored-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_null(kas_device_use_cache_directory(folder));
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
    cr_assert_null(kas_device_use_cache_directory(NULL));
}

TestSuite(stored, .init = use_new_folder, .fini = remove_folder);

static kas_sha256 key_of(const char *first, const char *second)
{
    const kas_stored_part parts[] = {{first, strlen(first)}, {second, strlen(second)}};
    return kas_stored_key(parts, 2);
}

static bool reads(const kas_sha256 *key, const char *wanted)
{
    kas_bytes got;
    if (!kas_stored_read("test", key, &got)) return false;
    cr_assert_eq(got.size, strlen(wanted));
    cr_assert(memcmp(got.data, wanted, got.size) == 0);
    kas_bytes_free(&got);
    return true;
}

static void path_of(const kas_sha256 *key, char out[256])
{
    char hex[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(key, hex);
    snprintf(out, 256, "%s/test-%s.blob", folder, hex);
}

Test(stored, what_was_written_is_read)
{
    kas_sha256 key = key_of("device", "source");
    cr_assert_not(reads(&key, ""));
    kas_stored_write("test", &key, "first", 5);
    cr_assert(reads(&key, "first"));
    kas_stored_write("test", &key, "another one", 11);
    cr_assert(reads(&key, "another one"));
    kas_stored_write("test", &key, "", 0);
    cr_assert(reads(&key, ""));
    kas_stored_counts counts = kas_stored_get_counts();
    cr_assert_eq(counts.hits, 3);
    cr_assert_eq(counts.misses, 1);
    cr_assert_eq(counts.writes, 3);
}

Test(stored, parts_are_apart)
{
    kas_sha256 a = key_of("ab", "c"), b = key_of("a", "bc");
    kas_stored_write("test", &a, "a", 1);
    cr_assert_not(reads(&b, ""));
}

Test(stored, every_damaged_byte_and_every_length_is_noticed)
{
    static const char content[] = "compiled";
    kas_sha256 key = key_of("device", "source");
    char path[256];
    unsigned char file[256];
    kas_stored_write("test", &key, content, strlen(content));
    path_of(&key, path);
    int fd = open(path, O_RDWR);
    ssize_t size = read(fd, file, sizeof file);
    cr_assert_gt(size, 0);
    for (ssize_t at = 0; at < size; ++at) {
        unsigned char wrong = file[at] ^ 1;
        cr_assert_eq(pwrite(fd, &wrong, 1, at), 1);
        cr_assert_not(reads(&key, content), "byte %zd", at);
        cr_assert_eq(pwrite(fd, &file[at], 1, at), 1);
    }
    cr_assert(reads(&key, content));
    for (ssize_t length = size - 1; length >= 0; --length) {
        cr_assert_eq(ftruncate(fd, length), 0);
        cr_assert_not(reads(&key, content), "%zd bytes", length);
    }
    close(fd);
}

Test(stored, another_names_file_is_not_taken)
{
    kas_sha256 a = key_of("a", ""), b = key_of("b", "");
    char from[256], to[256];
    kas_stored_write("test", &a, "a", 1);
    path_of(&a, from);
    path_of(&b, to);
    cr_assert_eq(rename(from, to), 0);
    cr_assert_not(reads(&b, "a"));
}

Test(stored, a_folder_that_cannot_be_is_no_failure)
{
    kas_sha256 key = key_of("a", "");
    cr_assert_null(kas_device_use_cache_directory("/dev/null/none"));
    kas_stored_write("test", &key, "a", 1);
    cr_assert_not(reads(&key, "a"));
    cr_assert_eq(kas_stored_get_counts().writes, 0);
}

Test(stored, without_a_folder_nothing_is_kept)
{
    kas_sha256 key = key_of("a", "");
    cr_assert(kas_stored_is_kept());
    cr_assert_null(kas_device_use_cache_directory(NULL));
    cr_assert_not(kas_stored_is_kept());
    kas_stored_write("test", &key, "a", 1);
    cr_assert_not(reads(&key, "a"));
}

/* A file of so many bytes (without blocks on the disk) last used at so many seconds. */
static void put_file(const char *name, off_t bytes, time_t used_s)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(ftruncate(fd, bytes), 0);
    const struct timespec times[2] = {{.tv_sec = used_s}, {.tv_sec = used_s}};
    cr_assert_eq(futimens(fd, times), 0);
    close(fd);
}

static bool is_there(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

Test(stored, what_was_longest_unused_goes_first)
{
    kas_sha256 key = key_of("a", "");
    put_file("old.blob", 100 << 20, 1000);
    put_file("older.blob", 100 << 20, 500);
    put_file("new.blob", 100 << 20, 2000);
    put_file("notes.txt", 300 << 20, 1);
    kas_stored_write("test", &key, "a", 1);
    cr_assert_not(is_there("older.blob"));
    cr_assert(is_there("old.blob") && is_there("new.blob") && is_there("notes.txt"));
    cr_assert(reads(&key, "a"));
}
