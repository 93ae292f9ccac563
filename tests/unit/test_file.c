/* base/file.c: what is written or removed is so after a power cut too. fsync is counted here, by folder and
 * file. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

static char folder[64], path[96];
static int synced_folders, synced_files;

int fsync(int fd) /* in place of the C library's */
{
    struct stat info;
    cr_assert_eq(fstat(fd, &info), 0);
    ++*(S_ISDIR(info.st_mode) ? &synced_folders : &synced_files);
    return (int)syscall(SYS_fsync, fd);
}

static void use_new_folder(void)
{
    strcpy(folder, "/tmp/kasmina-file-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    synced_folders = synced_files = 0;
}

static void remove_folder(void)
{
    unlink(path);
    cr_assert_eq(rmdir(folder), 0, "something is left in it");
}

TestSuite(file, .init = use_new_folder, .fini = remove_folder);

Test(file, what_is_replaced_is_on_the_disk)
{
    kas_bytes got;
    cr_assert_null(kas_file_replace(path, "first", 5));
    cr_assert_null(kas_file_replace(path, "second", 6));
    cr_assert_null(kas_file_read(path, 100, &got));
    cr_expect(got.size == 6 && !memcmp(got.data, "second", 6));
    kas_bytes_free(&got);
    cr_expect_eq(synced_files, 2);
    cr_expect_eq(synced_folders, 2);
}

Test(file, what_is_removed_stays_away)
{
    cr_assert_null(kas_file_replace(path, "x", 1));
    synced_folders = 0;
    cr_assert_null(kas_file_remove(path));
    cr_expect_eq(synced_folders, 1);
    cr_expect_neq(access(path, F_OK), 0);
    cr_assert_null(kas_file_remove(path), "one that is not there is fine");
}

Test(file, what_cannot_be_written_leaves_nothing_behind)
{
    cr_assert_eq(mkdir(path, 0700), 0); /* nothing may be renamed to a folder's name */
    kas_status status = kas_file_replace(path, "x", 1);
    cr_expect_not_null(status);
    kas_status_free(status);
    status = kas_file_remove(path);
    cr_expect_not_null(status);
    kas_status_free(status);
    cr_assert_eq(rmdir(path), 0);
}
