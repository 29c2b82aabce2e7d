/* slices.h: the time slices of threads that work together, where other programs use their processors too.
 *
 * The system takes the processor from such a thread every few milliseconds, in the middle of a task, and for as long the
 * others wait for that task. When this has happened, the thread yields its processor itself, a little earlier and when
 * it has no task. A thread that yields to nobody for some time has its processor for itself again. */
#ifndef CG_SLICES_H
#define CG_SLICES_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#ifdef __linux__
#include <sys/resource.h>
#endif

/* Nanoseconds. Linux preempts a thread after 3 to 4 ms. One that yields after 2 ms has half of the processor; if it yields
 * earlier or later, it has less. Two looks at the clock that are LATE apart may have a preemption between them, because
 * most tasks take some microseconds to some hundred. */
enum { SLICE = 1800000, LATE = 300000 };

/* End the sharing after so many yields to nobody, each of less than YIELD nanoseconds. */
enum { IDLE_YIELDS = 20, YIELD = 100000 };

/* Processors fetch cache lines in pairs. */
enum { CACHE_LINE_PAIR = 128 };

/* Of one thread, which alone uses it, except for the number of its processor. */
typedef struct {
    _Alignas(CACHE_LINE_PAIR) int64_t looked; /* at the clock, the last time */
    int64_t begun;         /* the slice, as far as the thread knows */
    long preemptions;      /* until it began */
    int yields;            /* to nobody, until the sharing ends; 0: the thread has its processor for itself */
    _Atomic int processor; /* that is shared, or −1 */
} cg_slices;

static void init_slices(cg_slices *own)
{
    own->yields = 0;
    atomic_init(&own->processor, -1);
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Return how often the system has preempted this thread. */
static long count_preemptions(void)
{
#ifdef __linux__
    struct rusage usage;
    if (!getrusage(RUSAGE_THREAD, &usage)) return usage.ru_nivcsw;
#endif
    return 0;
}

/* Begin a slice: the thread has just started, or waited without its processor. */
static void begin_slice(cg_slices *own, int64_t now)
{
    own->begun = own->looked = now;
    own->preemptions = count_preemptions();
}

/* Begin a slice, and to yield: the thread has had to wait for its processor. */
static void begin_sharing(cg_slices *own, int64_t now)
{
    own->yields = IDLE_YIELDS;
    begin_slice(own, now);
}

/* Look at the clock, and return whether the thread should yield. */
static int is_slice_over(cg_slices *own)
{
    int64_t now = nanoseconds(), passed = now - own->looked;
    own->looked = now;
    if (passed > LATE && count_preemptions() != own->preemptions) begin_sharing(own, now);
    return own->yields > 0 && now - own->begun > SLICE;
}

/* Leave the processor if another of these threads shares it. The system may keep two of them there and another program
 * alone on its own processor: to the system this is as fair. */
static void leave_processor_of_others(cg_slices *all, int count, cg_slices *own)
{
#ifdef __linux__
    cpu_set_t allowed, others;
    int processor = sched_getcpu(), is_shared = 0;
    if (processor < 0 || sched_getaffinity(0, sizeof allowed, &allowed)) return;
    others = allowed;
    CPU_CLR(processor, &others);
    for (int i = 0; i < count; i++) {
        int its = atomic_load_explicit(&all[i].processor, memory_order_relaxed);
        if (&all[i] == own || its < 0) continue;
        if (its == processor) is_shared = 1;
        CPU_CLR(its, &others);
    }
    /* The first call moves the thread at once; the second allows all processors again and leaves it there. */
    if (is_shared && CPU_COUNT(&others) > 0 && !sched_setaffinity(0, sizeof others, &others)) {
        sched_setaffinity(0, sizeof allowed, &allowed);
        processor = sched_getcpu();
    }
    atomic_store_explicit(&own->processor, processor, memory_order_relaxed);
#else
    (void)all, (void)count, (void)own;
#endif
}

/* Yield the processor of a thread, one of `count`, and begin its next slice. */
static void yield_slice(cg_slices *all, int count, cg_slices *own)
{
    leave_processor_of_others(all, count, own);
    int64_t begin = nanoseconds();
    sched_yield();
    int64_t now = nanoseconds();
    own->yields = now - begin > YIELD ? IDLE_YIELDS : own->yields - 1;
    if (own->yields == 0) atomic_store_explicit(&own->processor, -1, memory_order_relaxed);
    begin_slice(own, now);
}

#endif
