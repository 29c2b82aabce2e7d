/* guarded.h: memory between two forbidden pages, where any access ends the program.
 *
 * In a `tight` layout a block ends where the page after it begins; in a roomy one it begins where the page before it
 * ends. AddressSanitizer checks both ends in either layout. */
#ifndef GUARDED_H
#define GUARDED_H

#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

enum { MOST_BLOCKS = 16, BLOCK_ROOM = 1 << 21 };

static struct {
    char *rooms[MOST_BLOCKS], *blocks[MOST_BLOCKS];
    size_t sizes[MOST_BLOCKS];
    int allocated;
} guarded;

static void free_all(void)
{
    while (guarded.allocated) {
        guarded.allocated--;
        ASAN_POISON_MEMORY_REGION(guarded.blocks[guarded.allocated], guarded.sizes[guarded.allocated]);
    }
}

static char *map(size_t bytes)
{
    char *pages = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) {
        perror("guarded.h: mmap");
        exit(2);
    }
    return pages;
}

/* Return forbidden memory of the size of the largest block. */
static char *forbidden(void)
{
    static char *pages;
    return pages ? pages : (pages = map(BLOCK_ROOM));
}

/* Return a block of memory, not cleared; free_all frees all blocks. */
static char *allocate(size_t bytes, int tight)
{
    if (guarded.allocated == MOST_BLOCKS || bytes > BLOCK_ROOM) {
        fprintf(stderr, "guarded.h has no block of %zu bytes for this case\n", bytes);
        exit(2);
    }
    char **room = &guarded.rooms[guarded.allocated];
    if (!*room) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        *room = map(BLOCK_ROOM + 2 * page) + page;
        if (mprotect(*room, BLOCK_ROOM, PROT_READ | PROT_WRITE)) {
            perror("guarded.h: mprotect");
            exit(2);
        }
        ASAN_POISON_MEMORY_REGION(*room, BLOCK_ROOM);
    }
    char *block = tight ? *room + BLOCK_ROOM - bytes : *room;
    ASAN_UNPOISON_MEMORY_REGION(block, bytes);
    guarded.blocks[guarded.allocated] = block;
    guarded.sizes[guarded.allocated++] = bytes;
    return block;
}

#endif
