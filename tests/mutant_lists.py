"""Where mutants.py plants nothing, and the plants that no test catches, each with the reason."""

from __future__ import annotations

#: No test can see these changes, or they are of no consequence: why, and the functions (or macros)
#: in which, or the lines on which, nothing is planted. A file's name, or * for all.
EXCLUDED = {
    "prefetching changes the time only": [
        ("*", r"prefetch|fetch_ahead|lines_per_tile"),
        ("tile.h", "prefetch_some()"),
        ("update.h", "prefetch_parameters()"),
    ],
    "the shapes of tiles and blocks, and the choice of a faster way to the same bits": [
        ("tile.h", r"CG_RUN_TILES|CG_RUN_GROUP|CG_TILE_WIDTHS|DEEP|BATCH_BLOCK|MANY|narrow"),
        ("tile.h", "CG_RUN_TILES()"),
        ("tile.h", "CG_RETURN_IF_NARROW()"),
        ("tile.h", "depth_block()"),
        ("blocks.pyx", "divided_rows()"),
        ("blocks.pyx", "block_rows()"),
        ("blocks.pyx", "plan_in_blocks()"),
    ],
    "the model of costs decides how many threads work, and on what, never what they compute": [
        ("*", r"cost|barrier|NORM_WORK|thread_count|\bmembers > 1\b|gil_release|\bwork\b"),
        ("plan.pyx", "max_tasks()"),
        ("plan.pyx", "best_thread_count()"),
        ("plan.pyx", "cost_in_turn()"),
    ],
    "waiting: how long a thread spins before it sleeps, and on which processor it works": [
        ("team.c", r"SPINS|YIELDS|pause|CACHE_LINE|sched_|watched|LATE"),
        ("team.c", "wait_briefly()"),
        ("team.c", "cg_team_should_yield()"),
        ("team.c", "cg_team_spread()"),
        ("team.c", "cg_team_wait()"),
        ("*", r"CACHE_LINE_PAIR"),
    ],
    "alignment and spare memory": [("*", r"aligned|\bPAGE\b|reserve|_Alignas|capacity =")],
    "measuring, not computing": [
        ("kernels.h", "multiply_adds()"),
        ("kernels.pyx", "fma_peak()"),
        ("processor.c", "cg_clock()"),
    ],
    "how many rows a pass has, and how much memory is kept for the next": [
        ("*", r"^cdef \w+ .*(?:CHUNK|KEPT_)\w* = "),
    ],
    "no test runs out of memory": [("*", r"(?:[\w.]+ == NULL or )+.*== NULL|MemoryError")],
    "processors other than the one that tests run on": [("simd.h", r"_mm|CG_VECTOR_BYTES|CG_X86")],
}


#: Plants that the tests do not catch, by why they need not: how their names begin.
SURVIVORS = {
    "the result is the same": """
        decimal.c cg_read_decimal: w <= UINT64_C(1) << 53 ⇒
        kernels.h function: i < n ⇒
        norms.h layer_norm: 0 ⇒
        output.h softmax: row_maxima[i] = 0, sums[i] = 1 ⇒
        samples.c find_nonfinite_standardized: part.cols * part.col_stride ⇒
        simd.h sqrt_: 0 ⇒
        tape.c cg_tape_kernels_of: i < sizeof tables
        tape.c load_points: i < register_size ⇒
        tape_kernels.h run_one: tape->result * LANES ⇒
        tile.h plain_gradient: - 1 ⇒
        trigonometry.h large_angles: sizes[i] < CG_LARGE_ANGLE ⇒
        engine.pyx plan: - 1 ⇒
        equations.pyx hidden_delta: l > 0 ⇒
        kernels.pyx evaluate: - 1 ⇒
        layers.pyx has_residual_sum: 0 ⇒
        parameters.pyx pack_weights: rows < width ⇒
        tape.pyx evaluate_gate: 0 ⇒
        loops_plan.pyx operate: n if p.labels != NULL else 0 ⇒
        team.c open_phase: atomic_load_explicit(& team->phase, memory_order_relaxed) + 1 ⇒
    """,
    "Cython compiles x == a and x == b to the switch of x == a or x == b": """
        loops.pyx update: u.rule == CG_RULE_rmsprop_centered or
        plan.pyx lay_out_kept: layer.kind == BATCH_NORM or layer.kind == LAYER_NORM ⇒
    """,
    "only several MPI ranks compute it": """
        passes.pyx run_task: self.ranks is not None ⇒
        plan.pyx norm_stages: op.kind != NORMALIZE ⇒
        training.pyx train: UPDATE_WORK * self.engine.n_parameters ⇒
        plan.pyx norm_stages: 2 if op.kind == NORMALIZE else 1 ⇒
    """,
    "threads write the same numbers at the same time, which no test can force": """
        blocks.pyx : 48 ⇒
    """,
    "a call without a batch, after one that was interrupted, would read it; there is none": """
        ranks.pyx begin: self.header[3] = GOES_ON ⇒
    """,
    "only −1 is read, for an error": """
        plan.pyx add: 0 ⇒
        samples.pyx acquire_array: 0 ⇒
    """,
    "a faster way to the same result, or a slower one": """
        panels.h CG_GATHER_ROW: x->col_stride == sizeof(TYPE) && cols == P ⇒
        tape.c load_points: from->stride == sizeof(double) ⇒
        tape_kernels.h backward_vectors: vectors == 1 && b_offset != y_offset
        tile.h forward: z->cols == 1 && rows >= COLUMN_ROWS
        delimited.pyx __init__: False ⇒
        interrupts.pyx check: cg_clock() - self.last < INTERVAL ⇒
        parameters.pyx unpack_weights: columns == width ⇒
        plan.pyx split_operations: units + blocks - 1 ⇒
        tile.h bias_gradient: delta->cols - panel * P ⇒
        tile.h forward: depth <= P ⇒
        plan.pyx split_operations: best > 0.9 or (blocks > 1 and tasks > most) ⇒
        ranks.pyx first_place: place + TILE // 2 ⇒
        plan.pyx gains_in_place: False ⇒
        ranks.pyx before: self.exact and self.is_last ⇒
        team.c cg_team_enter: own->yields > 0 ⇒
    """,
    "prefetching changes the time only": """
        plan.pyx look_ahead: self.members if op.is_split else 1 ⇒
        plan.pyx look_ahead: members ⇒
    """,
    "more memory than is needed": """
        simd.h CG_FOLD: PANEL_VECTORS ⇒
        engine.pyx padded: size + width - 1 ⇒
        loops_plan.pyx layer_input: n * p.sparse.most + 1 ⇒
        ranks.pyx most_rows: min(max((share + ROOM - 1) // ROOM * ROOM, 1), rows) ⇒
        ranks.pyx prepare: 2 * CG_PANEL_BYTES * plan.panels
    """,
    "a number that is not set, for which the compiler takes the one that was left out": """
        engine.pyx numbers: numbers.row_stride, numbers.col_stride = size
    """,
    "a read or write behind the end that changes no result": """
        simd.h CG_FOLD: j < half ⇒
        simd.h any_lane: 1 ⇒
        team.c cg_team_open_in_order: part < team->parts ⇒
        delimited.pyx number: text + bytes(PADDING) ⇒
        loops_plan.pyx update_parameters: 0 ⇒
    """,
    "no test runs out of memory": """
        team.c cg_team_new: ! team ⇒
        plan.pyx add_penalty: s.squares == NULL ⇒
        tape.pyx __cinit__: self.block == NULL ⇒
    """,
    "a check of the package's own calls": """
        tape.pyx first_number: True ⇒
    """,
}


def reason_of(name: str) -> str | None:
    """Return why a plant of this name need not be caught, or None if there is no reason."""
    for reason, beginnings in SURVIVORS.items():
        if any(name.startswith(each.strip()) for each in beginnings.strip().split("\n")):
            return reason
    return None
