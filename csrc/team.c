/* team.c: the phases of a team and their tasks, in C11 atomics.
 *
 * A range is one word: the number of its phase, and the number of its tasks that are left. A late member still has the
 * number of an older phase, which differs, so it takes no task. */
#define _GNU_SOURCE
#include "team.h"
#include "slices.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* A waiting member checks SPINS times, some microseconds, the time between the ends of equal tasks; then it yields
 * YIELDS times, a tenth of a millisecond, the cost of waking a thread; then it sleeps. One that shares its processor
 * spins for as long, because each yield would leave the processor to another program for milliseconds. */
enum { SPINS = 200, YIELDS = 200, SHARED_WAIT = 100000 };

/* When a member has waited for long, all look at the clock after each task in so many phases: another may have been
 * preempted. */
enum { WATCHED_PHASES = 10000 };

typedef struct {
    _Alignas(CACHE_LINE_PAIR) _Atomic uint64_t left; /* phase · 2³² + tasks not taken yet */
} range;

typedef struct {
    _Alignas(CACHE_LINE_PAIR) _Atomic ptrdiff_t task; /* whose turn it is */
} turn;

struct cg_team {
    int members, parts;
    _Atomic int shares; /* ranges of the open phase: one for each member, or one for all, which gives tasks in order */
    int home;                              /* processor of member 0 at the beginning, or -1 */
    ptrdiff_t tasks;                       /* in the open phase */
    _Alignas(CACHE_LINE_PAIR) _Atomic uint32_t phase; /* number of the open phase */
    _Atomic uint32_t sleepers;
    _Alignas(CACHE_LINE_PAIR) _Atomic ptrdiff_t done; /* tasks in the open phase */
    _Alignas(CACHE_LINE_PAIR) _Atomic int stopped;
    _Atomic int watched; /* phases to come in which members look at the clock */
    turn *turns;
    cg_slices *slices; /* of each member */
    range ranges[];
};

cg_team *cg_team_new(int members, int parts)
{
    size_t size = sizeof(cg_team) + (size_t)members * sizeof(range), of_turns = (size_t)parts * sizeof(turn);
    cg_team *team = aligned_alloc(CACHE_LINE_PAIR, size + of_turns + (size_t)members * sizeof(cg_slices));
    if (!team) return NULL;
    team->turns = (turn *)((char *)team + size);
    team->slices = (cg_slices *)((char *)team->turns + of_turns);
    team->members = members;
    atomic_init(&team->shares, members);
    team->parts = parts;
    team->home = -1;
    atomic_init(&team->phase, CG_TEAM_OVER);
    atomic_init(&team->sleepers, 0);
    atomic_init(&team->done, 0);
    atomic_init(&team->stopped, 0);
    atomic_init(&team->watched, 0);
    for (int member = 0; member < members; member++) {
        atomic_init(&team->ranges[member].left, 0);
        init_slices(&team->slices[member]);
    }
    for (int part = 0; part < parts; part++) atomic_init(&team->turns[part].task, 0);
    return team;
}

void cg_team_free(cg_team *team) { free(team); }

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* longer than `yield`, which most processors ignore */
#endif
}

static void sleep_while(cg_team *team, uint32_t phase)
{
#ifdef __linux__
    syscall(SYS_futex, &team->phase, FUTEX_WAIT_PRIVATE, phase, NULL, NULL, 0);
#else
    (void)team, (void)phase;
    sched_yield();
#endif
}

static void publish(cg_team *team, uint32_t phase)
{
    /* Sequentially consistent, as in cg_team_wait: either the sleeper sees the new phase, or it is counted here. */
    atomic_store_explicit(&team->phase, phase, memory_order_seq_cst);
#ifdef __linux__
    if (atomic_load_explicit(&team->sleepers, memory_order_seq_cst))
        syscall(SYS_futex, &team->phase, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
}

void cg_team_begin(cg_team *team)
{
#ifdef __linux__
    team->home = sched_getcpu();
#endif
    atomic_store_explicit(&team->stopped, 0, memory_order_relaxed);
    atomic_store_explicit(&team->phase, CG_TEAM_BEGUN, memory_order_relaxed);
}

void cg_team_spread(cg_team *team)
{
#ifdef __linux__
    cpu_set_t allowed, others;
    if (team->home < 0 || sched_getcpu() != team->home || sched_getaffinity(0, sizeof allowed, &allowed)) return;
    others = allowed;
    CPU_CLR(team->home, &others);
    /* The first call moves the thread at once; the second allows all processors again and leaves it there. */
    if (CPU_COUNT(&others) > 0 && !sched_setaffinity(0, sizeof others, &others))
        sched_setaffinity(0, sizeof allowed, &allowed);
#else
    (void)team;
#endif
}

static void open_phase(cg_team *team, ptrdiff_t tasks, int shares)
{
    uint32_t phase = atomic_load_explicit(&team->phase, memory_order_relaxed) + 1;
    if (phase == CG_TEAM_OVER) phase = CG_TEAM_BEGUN + 1; /* after 2³² phases */
    team->tasks = tasks;
    int watched = atomic_load_explicit(&team->watched, memory_order_relaxed);
    if (watched > 0) atomic_store_explicit(&team->watched, watched - 1, memory_order_relaxed);
    atomic_store_explicit(&team->shares, shares, memory_order_relaxed);
    atomic_store_explicit(&team->done, 0, memory_order_relaxed);
    ptrdiff_t begin = 0;
    for (int share = 0; share < shares; share++) {
        ptrdiff_t end = cg_range_end(tasks, shares, share);
        atomic_store_explicit(&team->ranges[share].left, (uint64_t)phase << 32 | (uint64_t)(end - begin),
                              memory_order_relaxed);
        begin = end;
    }
    publish(team, phase);
}

void cg_team_open(cg_team *team, ptrdiff_t tasks) { open_phase(team, tasks, team->members); }

void cg_team_open_in_order(cg_team *team, ptrdiff_t tasks)
{
    for (int part = 0; part < team->parts; part++)
        atomic_store_explicit(&team->turns[part].task, 0, memory_order_relaxed);
    open_phase(team, tasks, 1);
}

int cg_team_wait_turn(cg_team *team, int part, ptrdiff_t task)
{
    for (int looks = 0; atomic_load_explicit(&team->turns[part].task, memory_order_acquire) != task; looks++) {
        if (cg_team_stopped(team)) return 0;
        if (looks < SPINS) pause_briefly();
        else sched_yield();
    }
    return 1;
}

void cg_team_pass_turn(cg_team *team, int part, ptrdiff_t task)
{
    atomic_store_explicit(&team->turns[part].task, task + 1, memory_order_release);
}

void cg_team_end(cg_team *team) { publish(team, CG_TEAM_OVER); }

static void watch(cg_team *team) { atomic_store_explicit(&team->watched, WATCHED_PHASES, memory_order_relaxed); }

void cg_team_enter(cg_team *team, int member)
{
    cg_slices *own = &team->slices[member];
    begin_slice(own, nanoseconds());
    if (own->yields > 0) watch(team);
}

int cg_team_should_yield(cg_team *team, int member)
{
    return atomic_load_explicit(&team->watched, memory_order_relaxed) > 0 && is_slice_over(&team->slices[member]);
}

void cg_team_yield(cg_team *team, int member)
{
    yield_slice(team->slices, team->members, &team->slices[member]);
    watch(team);
}

/* Wait for a short time until the open phase is another than `seen`, and return its number or `seen`. */
static uint32_t wait_briefly(cg_team *team, cg_slices *own, uint32_t seen)
{
    int64_t before = 0;
    for (int looks = 0; looks < SPINS + YIELDS; looks++) {
        uint32_t phase = atomic_load_explicit(&team->phase, memory_order_acquire);
        if (phase != seen) return phase;
        if (looks < SPINS) {
            pause_briefly();
            continue;
        }
        if (looks == SPINS) before = nanoseconds();
        sched_yield();
        int64_t now = nanoseconds();
        if (now - before > LATE) {
            begin_sharing(own, now);
            break;
        }
        before = now;
    }
    return seen;
}

/* The same on a shared processor. */
static uint32_t wait_sharing(cg_team *team, int member, uint32_t seen)
{
    cg_slices *own = &team->slices[member];
    for (int64_t begin = nanoseconds(); own->looked - begin < SHARED_WAIT;) {
        for (int looks = 0; looks < SPINS / 10; looks++) {
            uint32_t phase = atomic_load_explicit(&team->phase, memory_order_acquire);
            if (phase != seen) return phase;
            pause_briefly();
        }
        if (!is_slice_over(own)) continue;
        cg_team_yield(team, member);
        begin = own->looked;
    }
    return seen;
}

uint32_t cg_team_wait(cg_team *team, int member, uint32_t seen)
{
    cg_slices *own = &team->slices[member];
    uint32_t phase = own->yields == 0 ? wait_briefly(team, own, seen) : seen;
    if (phase == seen && own->yields > 0) phase = wait_sharing(team, member, seen);
    if (phase != seen) return phase;
    atomic_fetch_add_explicit(&team->sleepers, 1, memory_order_seq_cst);
    while ((phase = atomic_load_explicit(&team->phase, memory_order_seq_cst)) == seen) sleep_while(team, seen);
    atomic_fetch_sub_explicit(&team->sleepers, 1, memory_order_relaxed);
    if (own->yields > 0) begin_slice(own, nanoseconds());
    watch(team);
    return phase;
}

ptrdiff_t cg_team_take(cg_team *team, int member, uint32_t phase)
{
    /* A late member may read the shares of a newer phase: then no range has the number of its own. */
    int shares = atomic_load_explicit(&team->shares, memory_order_relaxed);
    for (int i = 0; i < shares; i++) {
        int owner = (member + i) % shares;
        _Atomic uint64_t *left = &team->ranges[owner].left;
        uint64_t seen = atomic_load_explicit(left, memory_order_relaxed);
        while (seen >> 32 == phase && (uint32_t)seen > 0)
            if (atomic_compare_exchange_weak_explicit(left, &seen, seen - 1, memory_order_relaxed,
                                                      memory_order_relaxed))
                return cg_range_end(team->tasks, shares, owner) - (ptrdiff_t)(uint32_t)seen;
    }
    return -1;
}

int cg_team_done(cg_team *team, ptrdiff_t count)
{
    ptrdiff_t tasks = team->tasks; /* before others can open a phase with other tasks */
    return atomic_fetch_add_explicit(&team->done, count, memory_order_acq_rel) + count == tasks;
}

void cg_team_stop(cg_team *team) { atomic_store_explicit(&team->stopped, 1, memory_order_relaxed); }

int cg_team_stopped(cg_team *team) { return atomic_load_explicit(&team->stopped, memory_order_relaxed); }
