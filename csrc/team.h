/* team.h: how the threads of a team divide work and meet.
 *
 * Work comes in phases, one after the other. A phase is a number of tasks that may be done in any order, by anyone;
 * what one task writes no other task of the phase may touch. Each member begins with a range of tasks of its own,
 * the same share in every phase, so that what these work on stays in one core's cache, and goes on with what is left
 * of the others' ranges. A phase is over when its tasks are done, not when all members have come: one that the system
 * has put aside, or that never started, holds up nobody. Whoever did the last task is alone then, prepares the next
 * phase and opens it; what was written before a phase was opened is seen by all who work in it. */
#ifndef CG_TEAM_H
#define CG_TEAM_H

#include <stddef.h>
#include <stdint.h>

typedef struct cg_team cg_team;

enum { CG_TEAM_OVER = 0, CG_TEAM_BEGUN = 1 }; /* numbers of phases that have no tasks */

/* A team of `members` threads, numbered from 0, or NULL where there is no memory. */
cg_team *cg_team_new(int members);
void cg_team_free(cg_team *team);

/* By member 0, while there are no others: the phase CG_TEAM_BEGUN is open, and member 0 is alone in it. */
void cg_team_begin(cg_team *team);

/* By a member that another has started: leave the processor of member 0, should both be there. The system may have put
 * them on one, and would be slow to part them, for it does not know that they wait for each other. */
void cg_team_spread(cg_team *team);

/* By the member that is alone: a phase of `tasks` tasks, from 1 to 2³² − 1; or the end of all work. */
void cg_team_open(cg_team *team, ptrdiff_t tasks);
void cg_team_end(cg_team *team);

/* The number of the open phase as soon as it is another than `seen`; CG_TEAM_OVER when there are no more. */
uint32_t cg_team_wait(cg_team *team, uint32_t seen);

/* A task of this phase for this member to do, or −1: none is left. */
ptrdiff_t cg_team_take(cg_team *team, int member, uint32_t phase);

/* Says that `count` tasks, at least one, are done. 1: they were the last, and the caller is alone now. */
int cg_team_done(cg_team *team, ptrdiff_t count);

/* A word from any member to all, which `cg_team_begin` takes back. */
void cg_team_stop(cg_team *team);
int cg_team_stopped(cg_team *team);

/* One past the last task of a member's range, where `tasks` are divided among `members`. */
static inline ptrdiff_t cg_range_end(ptrdiff_t tasks, int members, int member)
{
    return (member + 1) * tasks / members;
}

#endif
