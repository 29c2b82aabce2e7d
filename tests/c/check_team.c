/* check_team.c: a stress test of csrc/team.h.
 *
 *     check_team [divisor of the numbers of rounds, for sanitizers]
 *
 * In each round, a phase of uneven tasks, a task reads a number that another task wrote in the previous round, and
 * writes one for the next round, all in plain memory. In one of eight rounds the tasks also add to chains, in turn. Between two rounds the leader checks that every task was done
 * once and read the right number. Compiled with -fsanitize=thread it also finds races that did no harm. Members sleep within
 * a task, or between a new phase and its first task; start late, or never; and one stops all. A process that never waits
 * has the same processors as a team, or one of them. Helgrind and DRD do not know C11 atomics, and report races that are
 * none. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "splitmix.h"
#include "team.h"

enum { MOST_MEMBERS = 7, MOST_TASKS = 3 * MOST_MEMBERS, MOST_SECONDS = 60, PARTS = 3 };

typedef struct {
    int members, thread_count; /* possible threads, and threads that are started */
    long rounds;
    long stop;            /* the round in which a task stops all, or −1 */
    int late;             /* microseconds between the starts of two members */
    int processors;       /* that the team and a busy process share; 0: all, and there is no such process */
} trial;

static trial now;
static char trial_name[128];

#define CHECK(condition, ...)                      \
    do {                                           \
        if (condition) break;                      \
        printf("FAILED %s: ", trial_name);         \
        printf(__VA_ARGS__);                       \
        printf("\n");                              \
        exit(1);                                   \
    } while (0)

/* Of the open round, in plain memory: only the team synchronises it. */
static cg_team *team;
static long round_number;
static ptrdiff_t tasks, tasks_before;
static uint64_t numbers[2][MOST_TASKS]; /* of this round and of the previous one */
static int times_done[MOST_TASKS];
static uint64_t chains[PARTS]; /* each task of a round in order adds to them, in turn */
static int in_order;           /* whether the open round is */
static long tasks_opened, tasks_done[MOST_MEMBERS], yields[MOST_MEMBERS];

/* Relaxed, so that it does not synchronise. */
static _Atomic int leaders;

/* Return the number that a task computes from one of the previous round. */
static uint64_t number_of(ptrdiff_t task)
{
    uint64_t before = tasks_before ? numbers[(round_number + 1) % 2][(task + round_number) % tasks_before] : 0;
    return splitmix64(GOLDEN_GAMMA + (before ^ (uint64_t)(round_number * MOST_TASKS + task)));
}

/* Wait for a random time: usually not long, sometimes some microseconds, rarely so long that the others sleep too. */
static void wait_randomly(uint64_t random)
{
    for (volatile uint64_t left = random % 32 ? random % 50 : 3000; left; left--) {}
    if (random >> 32 < UINT32_MAX / 20000) usleep(300);
}

static void run_task(ptrdiff_t task)
{
    CHECK(task >= 0 && task < tasks, "round %ld has a task %td of %td", round_number, task, tasks);
    times_done[task]++;
    if (cg_team_stopped(team)) return;
    uint64_t number = number_of(task);
    wait_randomly(number);
    numbers[round_number % 2][task] = number;
    for (int part = 0; in_order && part < PARTS; part++) {
        if (!cg_team_wait_turn(team, part, task)) return;
        chains[part] = splitmix64(GOLDEN_GAMMA + (chains[part] ^ (uint64_t)task));
        if (number % 3 == 0) wait_randomly(number >> 8);
        cg_team_pass_turn(team, part, task);
    }
    if (round_number == now.stop && task == tasks / 2) cg_team_stop(team);
}

/* Check the last round and open the next; called by the leader. */
static void next_phase(void)
{
    int others = atomic_fetch_add_explicit(&leaders, 1, memory_order_relaxed);
    CHECK(others == 0, "after round %ld there are %d other leaders", round_number, others);
    for (ptrdiff_t task = 0; task < tasks; task++) {
        CHECK(times_done[task] == 1, "in round %ld task %td was done %d times", round_number, task, times_done[task]);
        CHECK(cg_team_stopped(team) || numbers[round_number % 2][task] == number_of(task),
              "in round %ld task %td of %td has not read the number of the previous round", round_number, task, tasks);
        times_done[task] = 0;
    }
    uint64_t chain = 0;
    for (ptrdiff_t task = 0; in_order && task < tasks; task++) chain = splitmix64(GOLDEN_GAMMA + (chain ^ (uint64_t)task));
    for (int part = 0; part < PARTS; part++) {
        CHECK(cg_team_stopped(team) || chains[part] == chain, "in round %ld part %d was not done in turn", round_number,
              part);
        chains[part] = 0;
    }
    int stops = now.stop >= 0 && round_number == now.stop;
    CHECK(cg_team_stopped(team) == stops, "round %ld was %sstopped", round_number, stops ? "not " : "");
    int over = cg_team_stopped(team) || round_number + 1 == now.rounds;
    if (!over) {
        round_number++;
        tasks_before = tasks;
        tasks = 1 + (ptrdiff_t)(splitmix64(GOLDEN_GAMMA + (uint64_t)round_number) % (uint64_t)(3 * now.members));
        tasks_opened += tasks;
        in_order = splitmix64(GOLDEN_GAMMA + (uint64_t)round_number) >> 61 == 0;
    }
    ptrdiff_t open = tasks;
    int opens_in_order = in_order;
    atomic_fetch_sub_explicit(&leaders, 1, memory_order_relaxed);
    if (over) cg_team_end(team);
    else if (opens_in_order) cg_team_open_in_order(team, open);
    else cg_team_open(team, open);
}

static void thread_loop(int member)
{
    uint32_t phase = CG_TEAM_BEGUN;
    uint64_t random = (uint64_t)member;
    cg_team_enter(team, member);
    for (;;) {
        uint32_t seen = phase;
        phase = cg_team_wait(team, member, seen);
        if (phase == CG_TEAM_OVER) return;
        CHECK(phase > seen, "member %d went from phase %u to %u", member, (unsigned)seen, (unsigned)phase);
        random = splitmix64(GOLDEN_GAMMA + random);
        if (random % 20000 == 0) usleep(300); /* the round may be over before it takes a task */
        long count = 0;
        for (ptrdiff_t task; (task = cg_team_take(team, member, phase)) >= 0;) {
            run_task(task);
            count++;
            if (!cg_team_should_yield(team, member)) continue;
            tasks_done[member] += count;
            yields[member]++;
            if (cg_team_done(team, count)) next_phase();
            else cg_team_yield(team, member);
            count = 0;
        }
        tasks_done[member] += count;
        if (count && cg_team_done(team, count)) next_phase();
    }
}

static void *run_thread(void *argument)
{
    int member = (int)(intptr_t)argument;
    if (now.late) usleep((useconds_t)(member * now.late));
    thread_loop(member);
    return NULL;
}

/* Run all rounds, as the engine does: member 0 is the calling thread. */
static void run_threads(void)
{
    pthread_t threads[MOST_MEMBERS];
    round_number = -1;
    tasks = tasks_before = 0;
    in_order = 0;
    memset(chains, 0, sizeof chains);
    cg_team_begin(team);
    for (int member = 1; member < now.thread_count; member++)
        CHECK(pthread_create(&threads[member], NULL, run_thread, (void *)(intptr_t)member) == 0, "no thread %d",
              member);
    next_phase();
    thread_loop(0);
    for (int member = 1; member < now.thread_count; member++) pthread_join(threads[member], NULL);
    long last = now.stop >= 0 ? now.stop : now.rounds - 1;
    CHECK(round_number == last, "the last round is %ld, expected %ld", round_number, last);
}

/* Have the calling process run on the first of the processors that it may use, `count` of them. */
static void use_processors(const cpu_set_t *allowed, int count)
{
    cpu_set_t some;
    CPU_ZERO(&some);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&some) < count; i++)
        if (CPU_ISSET(i, allowed)) CPU_SET(i, &some);
    CHECK(sched_setaffinity(0, sizeof some, &some) == 0, "no affinity");
}

/* Start a process that uses one processor and never waits. */
static pid_t start_busy(const cpu_set_t *allowed)
{
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0, "no process");
    if (child) return child;
    use_processors(allowed, 1);
    while (getppid() == parent) {}
    _exit(0);
}

static void run_trial(trial settings)
{
    cpu_set_t allowed;
    pid_t busy = 0;
    alarm(MOST_SECONDS);
    now = settings;
    snprintf(trial_name, sizeof trial_name, "%d of %d members, %ld rounds, stop %ld, late %d, shared %d",
             now.thread_count, now.members, now.rounds, now.stop, now.late, now.processors);
    memset(tasks_done, 0, sizeof tasks_done);
    memset(yields, 0, sizeof yields);
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "no affinity");
    if (now.processors) {
        busy = start_busy(&allowed);
        use_processors(&allowed, now.processors);
    }
    tasks_opened = 0;
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    team = cg_team_new(now.members, PARTS);
    CHECK(team, "no memory");
    for (int repeat = 0; repeat < 3; repeat++) run_threads(); /* a team can be used again */
    cg_team_free(team);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (busy) {
        kill(busy, SIGKILL);
        waitpid(busy, NULL, 0);
        sched_setaffinity(0, sizeof allowed, &allowed);
    }
    long done = 0, all_yields = 0;
    printf("%s: tasks by member", trial_name);
    for (int member = 0; member < now.thread_count; member++) {
        done += tasks_done[member];
        all_yields += yields[member];
        printf(" %ld", tasks_done[member]);
    }
    printf(", yields between tasks %ld", all_yields);
    printf(", %.2f s\n", (double)(ended.tv_sec - begun.tv_sec) + 1e-9 * (double)(ended.tv_nsec - begun.tv_nsec));
    /* Less time may pass without a preemption in a task. */
    CHECK(now.processors != 1 || now.rounds < 30000 || all_yields > 0, "no member has yielded");
    CHECK(done == tasks_opened, "%ld tasks were done, expected %ld", done, tasks_opened);
}

/* Check the order in which a member takes tasks: its own range first, then those of the next members. */
static void check_order(void)
{
    snprintf(trial_name, sizeof trial_name, "order of the tasks");
    for (int members = 1; members <= MOST_MEMBERS; members++)
        for (ptrdiff_t count = 1; count <= MOST_TASKS; count++)
            for (int member = 0; member < members; member++) {
                cg_team *one = cg_team_new(members, 0);
                CHECK(one, "no memory");
                cg_team_begin(one);
                cg_team_open(one, count);
                uint32_t phase = cg_team_wait(one, 0, CG_TEAM_BEGUN);
                ptrdiff_t first = member ? cg_range_end(count, members, member - 1) : 0;
                CHECK(cg_range_end(count, members, members - 1) == count, "%d members leave some of %td tasks", members,
                      count);
                CHECK(cg_team_take(one, member, phase + 1) == -1, "a task of a phase to come was given");
                for (ptrdiff_t i = 0; i < count; i++) {
                    ptrdiff_t task = cg_team_take(one, member, phase), expected = (first + i) % count;
                    CHECK(task == expected, "member %d of %d got task %td of %td, expected %td", member, members, task,
                          count, expected);
                }
                CHECK(cg_team_take(one, member, phase) == -1, "there are more than %td tasks", count);
                for (ptrdiff_t i = 1; i < count; i++)
                    CHECK(!cg_team_done(one, 1), "%td tasks are over after %td", count, i);
                CHECK(cg_team_done(one, 1), "%td tasks are not over", count);
                cg_team_open(one, count);
                CHECK(cg_team_take(one, member, phase) == -1, "a task of a new phase was given for an old one");
                CHECK(cg_team_wait(one, 0, phase) != phase, "the phase is not a new one");
                phase = cg_team_wait(one, 0, phase);
                cg_team_open_in_order(one, count);
                CHECK(cg_team_take(one, member, phase) == -1, "a task of a new phase was given for an old one");
                phase = cg_team_wait(one, 0, phase);
                for (ptrdiff_t i = 0; i < count; i++)
                    CHECK(cg_team_take(one, member, phase) == i, "task %td was not the next", i);
                CHECK(cg_team_take(one, member, phase) == -1, "there are more than %td tasks", count);
                cg_team_end(one);
                CHECK(cg_team_wait(one, 0, phase) == CG_TEAM_OVER, "the work is not over");
                cg_team_free(one);
            }
}

static void too_long(int number)
{
    (void)number;
    static const char text[] = "FAILED: no progress in ";
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0 || write(STDOUT_FILENO, trial_name, strlen(trial_name)) < 0 ||
        write(STDOUT_FILENO, "\n", 1) < 0)
        _exit(3);
    _exit(2);
}

int main(int count, char **arguments)
{
    /* Each trial runs its rounds three times: a million barriers or more for two to four members. */
    static const trial TRIALS[] = {
        {1, 1, 100000, -1, 0, 0}, {2, 2, 400000, -1, 0, 0},  {3, 3, 350000, -1, 0, 0},  {4, 4, 350000, -1, 0, 0},
        {7, 7, 100000, -1, 0, 0}, {4, 1, 50000, -1, 0, 0},   {7, 2, 50000, -1, 0, 0},   {2, 2, 20000, -1, 3000, 0},
        {7, 7, 5000, -1, 500, 0}, {2, 2, 20000, 9999, 0, 0}, {7, 7, 20000, 4999, 0, 0}, {3, 2, 20000, 0, 0, 0},
        {2, 2, 30000, -1, 0, 1},  {4, 4, 20000, -1, 0, 1},   {2, 2, 30000, -1, 0, 2},   {4, 3, 20000, -1, 0, 2},
    };
    long divisor = count > 1 ? atol(arguments[1]) : 1;
    if (divisor < 1) {
        fprintf(stderr, "the divisor is %s, expected a whole number from 1 on\n", arguments[1]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, too_long);
    check_order();
    for (size_t i = 0; i < sizeof TRIALS / sizeof TRIALS[0]; i++) {
        trial settings = TRIALS[i];
        settings.rounds = settings.rounds / divisor + 1;
        if (settings.stop > 0) settings.stop = settings.stop / divisor;
        run_trial(settings);
    }
    printf("all right\n");
    return 0;
}
