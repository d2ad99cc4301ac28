/* WASI preview 1, answered here: libc asks for it, and a plugin has none. There are no arguments and no environment; what is
 * printed past Python becomes lines of the log; time and numbers by chance are the host's, once there is one. */
#include <stdint.h>
#include <string.h>

#include "runtime.h"

bool host_is_there;

/* Preview 1's numbers of errors. */
enum { SUCCESS = 0, EBADF_ = 8, ENOENT_ = 44, ENOSYS_ = 52, EROFS_ = 69 };

typedef struct moment {
    uint64_t seconds;
    uint32_t nanoseconds;
} moment;

typedef struct piece {
    const char *ptr;
    size_t len;
} piece;

__attribute__((import_module("wasi:clocks/wall-clock@0.2.6"), import_name("now"))) extern void host_now(moment *to);
__attribute__((import_module("wasi:random/random@0.2.6"), import_name("get-random-u64"))) extern uint64_t host_random(void);

#define ANSWER(name) __imported_wasi_snapshot_preview1_##name

/* One clock for all: what passes between two looks is the host's to say. */
int32_t ANSWER(clock_time_get)(int32_t clock, int64_t precision, uint64_t *to) {
    (void)clock, (void)precision;
    moment now = {1, 0};
    if (host_is_there) host_now(&now);
    *to = now.seconds * 1000000000 + now.nanoseconds;
    return SUCCESS;
}

int32_t ANSWER(clock_res_get)(int32_t clock, uint64_t *to) {
    (void)clock;
    *to = 1;
    return SUCCESS;
}

int32_t ANSWER(random_get)(unsigned char *to, size_t len) {
    if (!host_is_there) return memset(to, 42, len), SUCCESS;
    for (uint64_t eight; len; to += len < 8 ? len : 8, len -= len < 8 ? len : 8) {
        eight = host_random();
        memcpy(to, &eight, len < 8 ? len : 8);
    }
    return SUCCESS;
}

/* Sleeping takes no time: the one thing that is waited for has come. An event of 32 bytes begins with what the caller knows it by. */
int32_t ANSWER(poll_oneoff)(const void *asked, void *came, int32_t count, int32_t *to) {
    if (count < 1) return ENOSYS_;
    memset(came, 0, 32);
    memcpy(came, asked, 8);
    *to = 1;
    return SUCCESS;
}

int32_t ANSWER(fd_write)(int32_t fd, const piece *pieces, size_t count, size_t *to) {
    if (fd != 1 && fd != 2) return EBADF_;
    pw_place place = pw_here();
    pw_text text = pw_concat((const pw_text *)pieces, count);
    *to = text.len;
    while (text.len && text.ptr[text.len - 1] == '\n') text.len--;
    for (size_t k = 0; k < text.len; k++)
        if ((unsigned char)text.ptr[k] > 0x7F) ((char *)text.ptr)[k] = '?';
    if (text.len) pw_log(fd == 1 ? PW_INFO : PW_WARN, text);
    pw_rewind(place);
    return SUCCESS;
}

void ANSWER(proc_exit)(int32_t code) {
    (void)code;
    __builtin_trap();
}

static int32_t none(int32_t *one, int32_t *other) {
    *one = *other = 0;
    return SUCCESS;
}
int32_t ANSWER(environ_sizes_get)(int32_t *count, int32_t *size) { return none(count, size); }
int32_t ANSWER(environ_get)(int32_t at, int32_t to) { return (void)at, (void)to, SUCCESS; }
int32_t ANSWER(sched_yield)(void) { return SUCCESS; }

/* Nothing is written but the log, and there is no network. Reading stands in files.c. */
#define REFUSE(name, error, ...) \
    int32_t ANSWER(name)(__VA_ARGS__) { return error; }
#define I int32_t
#define L int64_t
REFUSE(fd_advise, EBADF_, I a, L b, L c, I d)
REFUSE(fd_datasync, EBADF_, I a)
REFUSE(fd_fdstat_set_flags, EBADF_, I a, I b)
REFUSE(fd_filestat_set_size, EBADF_, I a, L b)
REFUSE(fd_filestat_set_times, EBADF_, I a, L b, L c, I d)
REFUSE(fd_pwrite, EBADF_, I a, I b, I c, L d, I e)
REFUSE(fd_sync, EBADF_, I a)
REFUSE(path_create_directory, EROFS_, I a, I b, I c)
REFUSE(path_filestat_set_times, EROFS_, I a, I b, I c, I d, L e, L f, I g)
REFUSE(path_link, EROFS_, I a, I b, I c, I d, I e, I f, I g)
REFUSE(path_readlink, ENOENT_, I a, I b, I c, I d, I e, I f)
REFUSE(path_remove_directory, EROFS_, I a, I b, I c)
REFUSE(path_rename, EROFS_, I a, I b, I c, I d, I e, I f)
REFUSE(path_symlink, EROFS_, I a, I b, I c, I d, I e)
REFUSE(path_unlink_file, EROFS_, I a, I b, I c)
REFUSE(sock_accept, EBADF_, I a, I b, I c)
REFUSE(sock_recv, EBADF_, I a, I b, I c, I d, I e, I f)
REFUSE(sock_send, EBADF_, I a, I b, I c, I d, I e)
REFUSE(sock_shutdown, EBADF_, I a, I b)
