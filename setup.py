"""Build the extension modules; everything else about the package is in pyproject.toml.

The kernels in csrc are compiled once per instruction set, each with its own flags, and linked into
``cygrad._engine.kernels``; a variant whose flags the compiler refuses is left out. The Cython
modules are built for the stable ABI of CPython 3.11, so that one wheel serves every later version.
"""

import copy
import glob
import os
import re
import sys
import sysconfig
import tempfile
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from typing import NamedTuple

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import BaseError, CCompilerError, CompileError
from setuptools.modified import newer_group

# The same bits everywhere: a·b + c is one rounding only where the source says so, and never
# -ffast-math.
C_FLAGS = [
    "-std=c11",
    "-O3",
    "-g0",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    "-fwrapv",
    "-fvisibility=hidden",
    "-fno-asynchronous-unwind-tables",  # no exception passes through C
    "-ffunction-sections",  # the linker leaves out what nothing calls
    "-Wall",
    "-Wextra",
]
# What CFLAGS may ask for and this package cannot stand: they change bits, take NaN for a number, or
# have the linker add code that flushes denormals in the whole process.
UNSAFE_FLAGS = {
    "-Ofast",
    "-ffast-math",
    "-funsafe-math-optimizations",
    "-fassociative-math",
    "-freciprocal-math",
    "-ffinite-math-only",
    "-fno-signed-zeros",
}
VARIANTS = {
    "portable": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
}
X86 = sysconfig.get_platform().endswith(("x86_64", "amd64"))
# There the portable kernels are for processors before 2013, and their fused multiply-adds are calls
# of the C library: nothing makes them fast.
if X86:
    VARIANTS["portable"] = ["-Os"]

# The sources in csrc that a module is linked with and that are compiled with C_FLAGS: those with a
# file for each variant, those compiled once, and further flags of these.
KERNELS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "cygrad._engine.kernels": (
        ("kernels_f32", "kernels_f64"),
        ("dispatch", "samples", "sparse"),
        (),
    ),
    "cygrad._engine.loops": ((), ("scalar_f32", "scalar_f64"), ("-Os",)),
    "cygrad._engine.tape": (("tape",), ("tape",), ()),
}

# The kernels are written with it. A compiler that ignored it would take one number for a vector.
VECTORS = """
typedef float vector __attribute__((vector_size(16)));
typedef char probe_size[sizeof(vector) == 16 ? 1 : -1];
"""

NO_COMPILER = """
cygrad is built from C, and the C compiler did not work (see the lines above).
  Debian, Ubuntu:  apt install gcc python3-dev
  Fedora:          dnf install gcc python3-devel
  Alpine:          apk add gcc musl-dev python3-dev
  macOS:           xcode-select --install
Then run the same command again. CC names another compiler.
"""


Options.docstrings = False  # the engine is private: its docstrings are for readers of the sources

# What `cygrad.exchange.to_c` translates; an editable install reads them in csrc.
FUNCTIONS = ("functions.h", "trigonometry.h", "activation_functions.h", "activations.h")


class CopySources(build_py):
    """Copy the Python files, and the C functions that the package translates."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        folder = os.path.join(self.build_lib, "cygrad", "exchange", "plain_c", "csrc")
        self.mkpath(folder)
        for name in FUNCTIONS:
            self.copy_file(os.path.join("csrc", name), os.path.join(folder, name))


class Compilation(NamedTuple):
    """A C file and what it is compiled with."""

    source: str
    flags: tuple[str, ...]
    macros: tuple[tuple[str, str], ...] = ()
    include_dirs: tuple[str, ...] = ()


class BuildEngine(build_ext):
    """Compile the engine in parallel, the kernels with the flags of each variant, and link it.

    `objects` holds the object files of each module, by the module's name.
    """

    objects: dict[str, list[str]]
    compiler_works = False

    def build_extensions(self) -> None:
        for tool in ("compiler", "compiler_so", "linker_so", "linker_exe"):
            command = getattr(self.compiler, tool)
            setattr(self.compiler, tool, [word for word in command if word not in UNSAFE_FLAGS])
        try:
            self._require_a_compiler()
            self.compiler_works = True
            variants = [name for name in VARIANTS if self._can_be_built(name)]
            needed = {
                extension.name: [*compilations_of(extension), *kernels_of(extension.name, variants)]
                for extension in self.extensions
            }
            made = self._compile({each for part in needed.values() for each in part})
            self.objects = {name: [made[each] for each in part] for name, part in needed.items()}
            # An object kept from an earlier build can be older than a module of other objects.
            self.force = True
            super().build_extensions()
        except (BaseError, CCompilerError) as error:
            # The compiler works, or it would have failed before: then its own words are enough.
            hint = "" if self.compiler_works else NO_COMPILER
            sys.stderr.write(f"{error}\n{hint}")
            raise SystemExit(1) from None

    def build_extension(self, extension: Extension) -> None:
        """Link a module from its objects."""
        linked = copy.copy(extension)
        linked.sources, linked.extra_objects = [], self.objects[extension.name]
        super().build_extension(linked)

    def _require_a_compiler(self) -> None:
        if not self._accepts([], "#include <Python.h>\n"):
            raise CompileError("a C file that includes Python.h could not be compiled")
        if not self._accepts([], VECTORS):
            raise CompileError("the C compiler lacks vector_size, which GCC and Clang have")

    def _accepts(self, flags: list[str], source: str = "") -> bool:
        """Return whether the compiler accepts these flags."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "probe.c")
            with open(path, "w") as file:
                file.write(source + "int probe;\n")
            try:
                self.compiler.compile(
                    [path],
                    output_dir=folder,
                    include_dirs=[sysconfig.get_path("include"), sysconfig.get_path("platinclude")],
                    extra_postargs=flags,
                )
            except CompileError:
                return False
        return True

    def _can_be_built(self, variant: str) -> bool:
        return variant == "portable" or (X86 and self._accepts(VARIANTS[variant]))

    def _compile(self, compilations: Iterable[Compilation]) -> dict[Compilation, str]:
        """Compile on all processors, the longest first, and return the path of each object.

        The first error, or an interrupt, cancels the compilations that have not started.
        """
        pool = ThreadPoolExecutor(self.parallel or job_count())
        try:
            order = sorted(compilations, key=expected_order)
            futures = {each: pool.submit(self._object, each) for each in order}
            for future in as_completed(futures.values()):
                future.result()
            return {each: future.result() for each, future in futures.items()}
        finally:
            pool.shutdown(cancel_futures=True)

    def _object(self, compilation: Compilation) -> str:
        """Compile one file, unless its object is newer than all that it is made from.

        The object's folder is named by the whole command, so other flags give another object. It is
        not in build_temp, which is a new folder for each editable install.
        """
        source, flags, macros, include_dirs = compilation
        if SANITIZERS and is_sanitized(source):
            flags = (*flags, *SANITIZER_FLAGS)
        command = (self.compiler.compiler_so, flags, macros, include_dirs, self.debug)
        key = repr((sys.implementation.cache_tag, sysconfig.get_platform(), command))
        folder = os.path.join("build", "objects", f"{zlib.crc32(key.encode()):08x}")
        [path] = self.compiler.object_filenames([source], output_dir=folder)
        if self.force or newer_group([source, *included_files(source)], path):
            self.compiler.compile(
                [source],
                output_dir=folder,
                macros=list(macros),
                include_dirs=list(include_dirs),
                debug=self.debug,
                extra_postargs=list(flags),
            )
        return path


def compilations_of(extension: Extension) -> list[Compilation]:
    """Return the compilations of an extension's own sources."""
    return [
        Compilation(
            source,
            tuple(extension.extra_compile_args),
            tuple(extension.define_macros),
            tuple(extension.include_dirs),
        )
        for source in sorted(extension.sources)
    ]


def kernels_of(name: str, variants: list[str]) -> list[Compilation]:
    """Return the compilations of the KERNELS of a module."""
    by_variant, single, flags = KERNELS.get(name, ((), (), ()))
    macros = tuple((f"CG_HAVE_{variant.upper()}", "1") for variant in variants)
    return [
        *(
            Compilation(f"csrc/{source}_{variant}.c", (*C_FLAGS, *VARIANTS[variant]))
            for variant in variants
            for source in by_variant
        ),
        *(Compilation(f"csrc/{source}.c", (*C_FLAGS, *flags), macros) for source in single),
    ]


def is_sanitized(source: str) -> bool:
    """Return whether a file is compiled with the sanitizers, if there are any."""
    kernels = os.path.basename(source).startswith(("kernels_", "tape_"))
    variant = os.path.splitext(source)[0].rpartition("_")[2]
    return not kernels or variant == SANITIZED_KERNELS


def expected_order(compilation: Compilation) -> tuple[bool, bool, int, str]:
    """Sort by expected time, longest first: kernels, the portable ones above all, large files."""
    source = compilation.source
    kernels = os.path.basename(source).startswith("kernels_")
    return not kernels, "portable" not in source, -os.path.getsize(source), source


def job_count() -> int:
    """Return how many compilers run at once: CYGRAD_BUILD_JOBS, or one for each processor."""
    if jobs := os.environ.get("CYGRAD_BUILD_JOBS"):
        if not jobs.isdecimal() or int(jobs) < 1:
            raise SystemExit(f"CYGRAD_BUILD_JOBS is {jobs!r}, but must be a whole number from 1")
        return int(jobs)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def included_files(path: str) -> frozenset[str]:
    """Return the files of csrc that a C file includes, directly or through others."""
    with open(path, encoding="utf-8") as file:
        names = re.findall(r'^ *# *include "(.+)"', file.read(), re.MULTILINE)
    files = {f"csrc/{name}" for name in names if os.path.exists(f"csrc/{name}")}
    return frozenset(files.union(*map(included_files, files)))


# CYGRAD_DEBUG_CYTHON=1: an index out of range and a memoryview that is not set raise errors. A
# negative index is out of range, as wraparound is off. Directives at the top of a module
# (# cython: boundscheck=True) are stronger than these.
CHECKED = os.environ.get("CYGRAD_DEBUG_CYTHON", "0") not in ("", "0")
GENERATED = "build/cython-checked" if CHECKED else "build/cython"
DEFINES = [("Py_LIMITED_API", "0x030B0000")]
MODULE_FLAGS = [
    "-g0",
    "-fvisibility=hidden",
    "-fno-asynchronous-unwind-tables",  # no C++ exception passes through them
    "-ffunction-sections",  # the linker leaves out what nothing calls
]
LINK_FLAGS = ["-Wl,--strip-all,--gc-sections"] if sys.platform == "linux" else []
# The same function of all variants side by side, near enough for zip to find what repeats.
SORTED_FUNCTIONS = ["-Wl,--sort-section=name"] if sys.platform == "linux" else []
# CYGRAD_SANITIZE=address,undefined or =thread: the engine under sanitizers, see tests/sanitized.py.
# Kernels take minutes to compile with them, so only those named in CYGRAD_SANITIZE_KERNELS are,
# such as avx2.
SANITIZERS = os.environ.get("CYGRAD_SANITIZE", "")
SANITIZED_KERNELS = os.environ.get("CYGRAD_SANITIZE_KERNELS", "")
SANITIZER_FLAGS = ["-O1", "-g1", "-fno-omit-frame-pointer", f"-fsanitize={SANITIZERS}"]
if SANITIZERS:
    LINK_FLAGS = [f"-fsanitize={SANITIZERS}"]
# What all modules need of memoryviews. In each of them it was a fifth of the wheel.
VIEWS = "cygrad._engine.views"


def module(
    name: str,
    *c_sources: str,
    optimize: str = "-O2",
    vectorize: bool = False,
    link_flags: Iterable[str] = (),
) -> Extension:
    loops = ["-ftree-vectorize", "-fvect-cost-model=dynamic"] if vectorize else []
    return Extension(
        f"cygrad._engine.{name}",
        [f"src/cygrad/_engine/{name}.pyx", *c_sources],
        # Also what a source distribution carries.
        depends=[
            "setup.py",
            *sorted(glob.glob("csrc/*.[ch]") + glob.glob("src/cygrad/_engine/*.p*")),
        ],
        include_dirs=["csrc"],
        define_macros=DEFINES,
        extra_compile_args=[optimize, *loops, *MODULE_FLAGS, "-ffp-contract=off"],
        extra_link_args=[*LINK_FLAGS, *link_flags],
        libraries=["m"],
        py_limited_api=True,
    )


def views() -> Extension:
    return Extension(
        VIEWS,
        [f"{GENERATED}/views.c"],  # generated
        define_macros=DEFINES,
        extra_compile_args=["-Os", *MODULE_FLAGS],
        extra_link_args=LINK_FLAGS,
        py_limited_api=True,
    )


setup(
    ext_modules=cythonize(
        [
            module("kernels", "csrc/processor.c", optimize="-Os", link_flags=SORTED_FUNCTIONS),
            module(
                "samples",
                "csrc/samples.c",
                "csrc/sparse.c",
                "csrc/processor.c",
                vectorize=True,
            ),
            module("interrupts", "csrc/processor.c", optimize="-Os"),
            module("team", "csrc/team.c", "csrc/processor.c", optimize="-Os"),
            module("loops", "csrc/processor.c", optimize="-Os"),  # defines the bits, slowly
            module("plan"),
            module("loops_plan", "csrc/processor.c", "csrc/sparse.c", optimize="-Os"),
            module("passes", "csrc/team.c"),
            module("engine", "csrc/team.c"),
            module("training"),
            module("tape", optimize="-Os"),
            module("delimited", "csrc/decimal.c"),
            views(),
        ],
        shared_utility_qualified_name=VIEWS,
        include_path=["src"],
        build_dir=GENERATED,
        compiler_directives={
            "language_level": 3,
            "boundscheck": CHECKED,
            "initializedcheck": CHECKED,
            "wraparound": False,
            "cdivision": True,
            "auto_pickle": False,
            "autotestdict": False,
        },
    ),
    cmdclass={"build_ext": BuildEngine, "build_py": CopySources},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
