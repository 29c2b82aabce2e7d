/* team.h: a team of threads that share the tasks of phases, with a barrier between two phases.
 *
 * The tasks of a phase may run in any order, on any thread; a task must not touch what another task of the phase
 * writes. Each member starts with its own range of tasks, the same share in every phase, so that their data stay in one
 * core's cache, and then takes tasks that are left in the ranges of others. A phase is over when all its tasks are
 * done, not when all members have arrived: a thread that is not started, or is preempted between two tasks, delays no
 * one. One that is preempted in a task delays all, so members may yield between two tasks: slices.h. The thread that
 * finishes the last task then runs alone, prepares the next phase and opens it; all members of a phase see what was
 * written before it was opened.
 *
 * In a phase that is opened in order, tasks are claimed in the order of their numbers, and a part of each task can wait
 * for its turn: until that part of the task before it is done. Every task that is waited for has been claimed by a
 * running thread, which waits for earlier tasks only. */
#ifndef CG_TEAM_H
#define CG_TEAM_H

#include <stddef.h>
#include <stdint.h>

typedef struct cg_team cg_team;

enum { CG_TEAM_OVER = 0, CG_TEAM_BEGUN = 1 }; /* phases without tasks */

/* A team of `members` threads, numbered from 0, whose tasks have up to `parts` parts done in turn, or NULL if there is no
 * memory. */
cg_team *cg_team_new(int members, int parts);
void cg_team_free(cg_team *team);

/* Called by member 0, before other members start: opens the phase CG_TEAM_BEGUN, in which member 0 runs alone. */
void cg_team_begin(cg_team *team);

/* Called by a member that has just started: leave the processor of member 0 if it is on the same one. The system may
 * have placed both there, and would separate them late, because it does not know that they wait for each other. */
void cg_team_spread(cg_team *team);

/* Called by the member that runs alone: open a phase of `tasks` tasks, from 1 to 2³² − 1, or end all work. */
void cg_team_open(cg_team *team, ptrdiff_t tasks);
void cg_team_open_in_order(cg_team *team, ptrdiff_t tasks);
void cg_team_end(cg_team *team);

/* Called by each member, in its thread, before it waits for the first time. */
void cg_team_enter(cg_team *team, int member);

/* Wait until the open phase is another than `seen`, and return its number; CG_TEAM_OVER: there are no more. */
uint32_t cg_team_wait(cg_team *team, int member, uint32_t seen);

/* Claim a task of this phase for this member; −1: none is left. */
ptrdiff_t cg_team_take(cg_team *team, int member, uint32_t phase);

/* Report that `count` tasks, at least one, are done. 1: they were the last, and the caller runs alone now. */
int cg_team_done(cg_team *team, ptrdiff_t count);

/* Return whether a member should yield its processor before it takes another task. It first reports the tasks that it
 * has done, and yields only if they were not the last. */
int cg_team_should_yield(cg_team *team, int member);
void cg_team_yield(cg_team *team, int member);

/* Wait until all tasks before `task` have passed the turn of a part on. 0: the team was stopped. */
int cg_team_wait_turn(cg_team *team, int part, ptrdiff_t task);
void cg_team_pass_turn(cg_team *team, int part, ptrdiff_t task);

/* A flag that any member can set for all; `cg_team_begin` clears it. */
void cg_team_stop(cg_team *team);
int cg_team_stopped(cg_team *team);

/* Return the end of a member's range (one past its last task), with `tasks` divided among `members`. */
static inline ptrdiff_t cg_range_end(ptrdiff_t tasks, int members, int member)
{
    return (member + 1) * tasks / members;
}

#endif
