/* Files, for code that opens some: those of the step, read-only, and under `packages/` what its archive of packages holds. They are
 * answered where libc asks WASI preview 1 for them, so that `open`, `import`, `importlib.resources` and `os.listdir` are CPython's own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "runtime.h"

/* The file of the step that is an archive (zip; stored or deflated), and the folder in which it shows. */
#define ARCHIVE "packages"

/* --- What there is ---------------------------------------------------------------------------------------------------- */

/* Sizes that are told before a file is read: an archive that lies is refused. */
enum { UNPACKED_BYTES_MAX = 256 << 20 };

typedef struct entry {
    char *path;
    /* In the archive; NULL: a file of the step, by this name. */
    const unsigned char *packed;
    size_t packed_len, len;
    bool deflated;
} entry;

/* In the order of their paths; read once there is a host. */
static entry *entries;
static size_t entries_count;
static bool entries_read;

static int by_path(const void *one, const void *other) { return strcmp(((const entry *)one)->path, ((const entry *)other)->path); }

/* Where the instance cannot have memory it ends, as everywhere. */
static void *room(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory) __builtin_trap();
    return memory;
}

static char *path_of(const char *folder, const void *name, size_t len) {
    size_t before = strlen(folder);
    char *path = room(before + len + 1);
    memcpy(path, folder, before);
    memcpy(path + before, name, len);
    path[before + len] = 0;
    return path;
}

static entry *add_entry(char *path) {
    static size_t space;
    if (entries_count == space) {
        space = space ? 2 * space : 64;
        entries = realloc(entries, space * sizeof *entries);
        if (!entries) __builtin_trap();
    }
    entries[entries_count] = (entry){.path = path};
    return &entries[entries_count++];
}

static size_t number(const unsigned char *at, int bytes) {
    size_t value = 0;
    while (bytes--) value = value << 8 | at[bytes];
    return value;
}

/* One file of an archive's directory: its name stands at `at + 46`. What does not fit into the archive is left out. */
static void add_packed(const unsigned char *archive, size_t size, const unsigned char *at) {
    size_t method = number(at + 10, 2), packed_len = number(at + 20, 4), len = number(at + 24, 4), name = number(at + 28, 2);
    size_t head = number(at + 42, 4);
    if ((method != 0 && method != 8) || len > UNPACKED_BYTES_MAX || name == 0 || at[46 + name - 1] == '/') return;
    if (memchr(at + 46, 0, name) || size < 30 || head > size - 30 || memcmp(archive + head, "PK\3\4", 4)) return;
    size_t content = head + 30 + number(archive + head + 26, 2) + number(archive + head + 28, 2);
    if (content > size || packed_len > size - content || (method == 0 && packed_len != len)) return;
    entry *file = add_entry(path_of(ARCHIVE "/", at + 46, name));
    file->packed = archive + content;
    file->packed_len = packed_len;
    file->len = len;
    file->deflated = method == 8;
}

/* The archive's directory is named at its end, which has no comment. */
static void add_archive(const unsigned char *archive, size_t size) {
    if (size < 22 || memcmp(archive + size - 22, "PK\5\6", 4)) return;
    size_t at = number(archive + size - 6, 4), end = size - 22;
    while (at < end && end - at >= 46 && !memcmp(archive + at, "PK\1\2", 4)) {
        size_t names = number(archive + at + 28, 2) + number(archive + at + 30, 2) + number(archive + at + 32, 2);
        if (names > end - at - 46) return;
        add_packed(archive, size, archive + at);
        at += 46 + names;
    }
}

static void read_entries(void) {
    if (entries_read || !host_is_there) return;
    entries_read = true;
    pw_place place = pw_here();
    pw_texts names = pw_asset_names();
    for (size_t k = 0; k < names.count; k++) {
        if (!pw_same(names.items[k], PW(ARCHIVE))) {
            add_entry(path_of("", names.items[k].ptr, names.items[k].len));
            continue;
        }
        pw_text asset = pw_asset(names.items[k]);
        unsigned char *archive = room(asset.len);
        memcpy(archive, asset.ptr, asset.len);
        add_archive(archive, asset.len);
    }
    pw_rewind(place);
    if (entries_count) qsort(entries, entries_count, sizeof *entries, by_path);
}

/* The first entry whose path is not before this one. */
static size_t first_at(const char *path) {
    size_t from = 0, to = entries_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(entries[middle].path, path) < 0) from = middle + 1;
        else to = middle;
    }
    return from;
}

/* The entry of a file; NULL: there is none. */
static entry *file_at(const char *path) {
    size_t at = first_at(path);
    return at < entries_count && !strcmp(entries[at].path, path) ? &entries[at] : NULL;
}

/* Whether this path, which ends in `/` or is empty, is a folder: something is in it. */
static bool is_folder(const char *path) {
    size_t at = first_at(path);
    return !*path || (at < entries_count && !strncmp(entries[at].path, path, strlen(path)));
}

/* The content of a file, to be freed; NULL: the archive is damaged. */
static unsigned char *content_of(const entry *file, size_t *len) {
    if (!file->packed) {
        pw_place place = pw_here();
        pw_text asset = pw_asset(pw_from(file->path));
        unsigned char *content = room(asset.len);
        memcpy(content, asset.ptr, asset.len);
        *len = asset.len;
        pw_rewind(place);
        return content;
    }
    unsigned char *content = room(file->len);
    *len = file->len;
    if (!file->deflated) return memcpy(content, file->packed, file->len);
    z_stream stream = {.next_in = (unsigned char *)file->packed, .avail_in = file->packed_len, .next_out = content, .avail_out = file->len};
    bool whole = inflateInit2(&stream, -MAX_WBITS) == Z_OK;
    whole = whole && inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == file->len;
    inflateEnd(&stream);
    if (whole) return content;
    free(content);
    return NULL;
}

/* --- Preview 1 -------------------------------------------------------------------------------------------------------- */

enum { EBADF_ = 8, EINVAL_ = 28, EIO_ = 29, EISDIR_ = 31, EMFILE_ = 33, ENOENT_ = 44, ENOTDIR_ = 54, EROFS_ = 69, ESPIPE_ = 70 };
enum { SUCCESS = 0, CHARACTERS = 2, FOLDER = 3, FILE_ = 4 };
/* Descriptors: three streams, the folder of everything, and what is open. */
enum { ROOT = 3, OPEN_MAX_ = 256, PATH_BYTES_MAX_ = 1024 };

typedef struct open_file {
    /* A folder: its path, which ends in `/`. */
    char *folder;
    unsigned char *content;
    size_t len, at;
} open_file;

static open_file *open_files[OPEN_MAX_];

typedef struct filestat {
    uint64_t device, inode;
    uint8_t type;
    uint64_t links, size, times[3];
} filestat;

typedef struct fdstat {
    uint8_t type;
    uint16_t flags;
    uint64_t rights, rights_inherited;
} fdstat;

typedef struct found {
    uint64_t next, inode;
    uint32_t name_len;
    uint8_t type;
} found;

#define ANSWER(name) __imported_wasi_snapshot_preview1_##name

static open_file *open_at(int32_t fd) { return fd > ROOT && fd < OPEN_MAX_ ? open_files[fd] : NULL; }

/* The folder that a descriptor is; NULL: it is none. */
static const char *folder_at(int32_t fd) {
    open_file *open = open_at(fd);
    return fd == ROOT ? "" : open ? open->folder : NULL;
}

/* The path of something below a folder, without `.`, `..` and doubled slashes. False: it is too long. */
static bool resolve(const char *folder, const char *path, size_t len, char *to) {
    size_t at = strlen(folder);
    if (at + len + 2 > PATH_BYTES_MAX_) return false;
    memcpy(to, folder, at);
    for (size_t from = 0; from < len;) {
        size_t end = from;
        while (end < len && path[end] != '/') end++;
        size_t part = end - from;
        if (part == 2 && !memcmp(path + from, "..", 2)) {
            if (at) at--;
            while (at && to[at - 1] != '/') at--;
        } else if (part && !(part == 1 && path[from] == '.')) {
            memcpy(to + at, path + from, part);
            at += part;
            to[at++] = '/';
        }
        from = end + 1;
    }
    to[at] = 0;
    return true;
}

/* What is at a path: NULL and true for a folder, whose path ends in `/`; else an entry or nothing, without it. */
static entry *look(char *path, bool *folder) {
    read_entries();
    *folder = is_folder(path);
    if (*folder) return NULL;
    path[strlen(path) - 1] = 0;
    return file_at(path);
}

int32_t ANSWER(fd_prestat_get)(int32_t fd, uint32_t *to) {
    if (fd != ROOT) return EBADF_;
    to[0] = 0;
    to[1] = 1;
    return SUCCESS;
}

int32_t ANSWER(fd_prestat_dir_name)(int32_t fd, char *to, size_t len) {
    if (fd != ROOT || len < 1) return EBADF_;
    *to = '/';
    return SUCCESS;
}

int32_t ANSWER(path_open)(int32_t fd, int32_t how, const char *path, size_t len, int32_t flags, int64_t rights, int64_t inherited,
                          int32_t more, int32_t *to) {
    (void)how, (void)inherited, (void)more;
    char full[PATH_BYTES_MAX_];
    const char *folder = folder_at(fd);
    if (!folder) return EBADF_;
    if (!resolve(folder, path, len, full)) return ENOENT_;
    bool is_folder;
    entry *file = look(full, &is_folder);
    /* 1: made if it is not there, 8: emptied; 64: the right to write. */
    if (flags & 9 || (rights & 64 && !is_folder && file)) return EROFS_;
    if (!is_folder && !file) return ENOENT_;
    if (!is_folder && flags & 2) return ENOTDIR_;
    for (int32_t free_fd = ROOT + 1; free_fd < OPEN_MAX_; free_fd++) {
        if (open_files[free_fd]) continue;
        open_file open = {0};
        if (is_folder) open.folder = path_of("", full, strlen(full));
        else if (!(open.content = content_of(file, &open.len))) return EIO_;
        *(open_files[free_fd] = room(sizeof open)) = open;
        *to = free_fd;
        return SUCCESS;
    }
    return EMFILE_;
}

int32_t ANSWER(fd_close)(int32_t fd) {
    open_file *open = open_at(fd);
    if (!open) return EBADF_;
    free(open->folder);
    free(open->content);
    free(open);
    open_files[fd] = NULL;
    return SUCCESS;
}

int32_t ANSWER(fd_fdstat_get)(int32_t fd, fdstat *to) {
    if (fd < 0 || (fd > ROOT && !open_at(fd))) return EBADF_;
    *to = (fdstat){.type = fd < ROOT ? CHARACTERS : folder_at(fd) ? FOLDER : FILE_, .rights = -1, .rights_inherited = -1};
    return SUCCESS;
}

/* A number for each path: FNV-1a. */
static uint64_t inode_of(const char *path, size_t len) {
    uint64_t inode = 14695981039346656037u;
    for (size_t k = 0; k < len; k++) inode = (inode ^ (unsigned char)path[k]) * 1099511628211u;
    return inode;
}

static filestat stat_of(const char *path, bool is_folder, size_t size) {
    uint64_t inode = path ? inode_of(path, strlen(path)) : 0;
    return (filestat){.device = 1, .inode = inode, .type = is_folder ? FOLDER : FILE_, .links = 1, .size = size};
}

int32_t ANSWER(fd_filestat_get)(int32_t fd, filestat *to) {
    open_file *open = open_at(fd);
    if (fd < 0 || (fd > ROOT && !open)) return EBADF_;
    *to = stat_of(folder_at(fd), folder_at(fd) != NULL, open ? open->len : 0);
    if (fd < ROOT) to->type = CHARACTERS;
    return SUCCESS;
}

int32_t ANSWER(path_filestat_get)(int32_t fd, int32_t how, const char *path, size_t len, filestat *to) {
    (void)how;
    char full[PATH_BYTES_MAX_];
    const char *folder = folder_at(fd);
    if (!folder) return EBADF_;
    if (!resolve(folder, path, len, full)) return ENOENT_;
    bool is_folder;
    entry *file = look(full, &is_folder);
    if (!is_folder && !file) return ENOENT_;
    pw_place place = pw_here();
    size_t size = is_folder ? 0 : file->packed ? file->len : pw_asset(pw_from(file->path)).len;
    pw_rewind(place);
    *to = stat_of(full, is_folder, size);
    return SUCCESS;
}

typedef struct piece {
    unsigned char *ptr;
    size_t len;
} piece;

static size_t read_at(const open_file *open, size_t at, const piece *pieces, size_t count) {
    size_t done = 0;
    for (size_t k = 0; k < count && at < open->len; k++) {
        size_t some = open->len - at < pieces[k].len ? open->len - at : pieces[k].len;
        memcpy(pieces[k].ptr, open->content + at, some);
        at += some;
        done += some;
    }
    return done;
}

int32_t ANSWER(fd_read)(int32_t fd, const piece *pieces, size_t count, size_t *to) {
    /* Standard input has ended. */
    if (fd == 0) return *to = 0, SUCCESS;
    open_file *open = open_at(fd);
    if (!open) return EBADF_;
    if (open->folder) return EISDIR_;
    open->at += *to = read_at(open, open->at, pieces, count);
    return SUCCESS;
}

int32_t ANSWER(fd_pread)(int32_t fd, const piece *pieces, size_t count, int64_t at, size_t *to) {
    open_file *open = open_at(fd);
    if (!open) return EBADF_;
    if (open->folder) return EISDIR_;
    if (at < 0) return EINVAL_;
    *to = at < (int64_t)open->len ? read_at(open, (size_t)at, pieces, count) : 0;
    return SUCCESS;
}

int32_t ANSWER(fd_seek)(int32_t fd, int64_t by, int32_t from, uint64_t *to) {
    open_file *open = open_at(fd);
    if (!open) return fd >= 0 && fd < ROOT ? ESPIPE_ : EBADF_;
    int64_t base = from == 0 ? 0 : (int64_t)(from == 1 ? open->at : open->len), at;
    if (__builtin_add_overflow(base, by, &at) || at < 0 || at > INT32_MAX) return EINVAL_;
    *to = open->at = (size_t)at;
    return SUCCESS;
}

int32_t ANSWER(fd_tell)(int32_t fd, uint64_t *to) { return ANSWER(fd_seek)(fd, 0, 1, to); }

/* What is in a folder. A cookie is the number of the next entry to look at; files of one folder below it are neighbours. */
int32_t ANSWER(fd_readdir)(int32_t fd, char *to, size_t space, int64_t cookie, size_t *used) {
    const char *folder = folder_at(fd);
    if (!folder) return open_at(fd) ? ENOTDIR_ : EBADF_;
    read_entries();
    size_t depth = strlen(folder), at = first_at(folder);
    if (cookie > (int64_t)at) at = cookie > (int64_t)entries_count ? entries_count : (size_t)cookie;
    *used = 0;
    while (at < entries_count && *used < space && !strncmp(entries[at].path, folder, depth)) {
        const char *name = entries[at].path + depth;
        size_t len = strcspn(name, "/");
        bool is_folder = name[len] == '/';
        size_t next = at + 1;
        while (is_folder && next < entries_count && !strncmp(entries[next].path, entries[at].path, depth + len + 1)) next++;
        uint64_t inode = inode_of(entries[at].path, depth + len + is_folder);
        found one = {.next = next, .inode = inode, .name_len = len, .type = is_folder ? FOLDER : FILE_};
        size_t some = space - *used < sizeof one ? space - *used : sizeof one;
        memcpy(to + *used, &one, some);
        *used += some;
        some = space - *used < len ? space - *used : len;
        memcpy(to + *used, name, some);
        *used += some;
        at = next;
    }
    return SUCCESS;
}
