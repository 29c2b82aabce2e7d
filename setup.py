"""Builds the extension modules; everything else about the package is in pyproject.toml.

The kernels in csrc are compiled once per instruction set, each with its own flags, and linked into
``cygrad._engine.kernels``; a variant whose flags the compiler refuses is left out. The Cython
modules are built for the stable ABI of CPython 3.11, so that one wheel serves every later version.
"""

import glob
import os
import sys
import sysconfig
import tempfile

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

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

NO_COMPILER = """
cygrad is built from C, and the C compiler did not work (see the lines above).
  Debian, Ubuntu:  apt install gcc python3-dev
  Fedora:          dnf install gcc python3-devel
  Alpine:          apk add gcc musl-dev python3-dev
  macOS:           xcode-select --install
Then run the same command again. CC names another compiler.
"""


class BuildKernels(build_ext):
    """Compiles csrc with the flags of each variant, before the modules that link it."""

    def build_extensions(self) -> None:
        for tool in ("compiler", "compiler_so", "linker_so", "linker_exe"):
            command = getattr(self.compiler, tool)
            setattr(self.compiler, tool, [word for word in command if word not in UNSAFE_FLAGS])
        try:
            self._require_a_compiler()
            variants = [name for name, flags in VARIANTS.items() if self._runs(flags)]
            for extension in self.extensions:
                if extension.name == "cygrad._engine.kernels":
                    sources = ("kernels_f32", "kernels_f64")
                    extension.extra_objects = self._compile(variants, sources, "dispatch")
                elif extension.name == "cygrad._engine.loops":
                    extension.extra_objects = self._compile([], (), "scalar_f32")
                    extension.extra_objects += self._compile([], (), "scalar_f64")
                elif extension.name == "cygrad._engine.tape":
                    extension.extra_objects = self._compile(variants, ("tape",), "tape")
            super().build_extensions()
        except (BaseError, CCompilerError) as error:
            sys.stderr.write(f"{error}\n{NO_COMPILER}")
            raise SystemExit(1) from None

    def _require_a_compiler(self) -> None:
        if not self._accepts([], "#include <Python.h>\n"):
            raise CompileError("a C file that includes Python.h could not be compiled")

    def _accepts(self, flags: list[str], source: str = "") -> bool:
        """Whether the compiler takes these flags."""
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

    def _runs(self, flags: list[str]) -> bool:
        """Whether a variant of these flags can be built."""
        return not flags or (X86 and self._accepts(flags))

    def _compile(self, variants: list[str], sources: tuple[str, ...], chooser: str) -> list[str]:
        """Objects of the sources in each variant, and of the one that chooses between them."""
        objects: list[str] = []
        for variant in variants:
            objects += self.compiler.compile(
                [f"csrc/{source}_{variant}.c" for source in sources],
                output_dir=self.build_temp,
                extra_postargs=[*C_FLAGS, *VARIANTS[variant]],
            )
        objects += self.compiler.compile(
            [f"csrc/{chooser}.c"],
            output_dir=self.build_temp,
            macros=[(f"CG_HAVE_{variant.upper()}", "1") for variant in variants],
            extra_postargs=C_FLAGS,
        )
        return objects


DEFINES = [("Py_LIMITED_API", "0x030B0000")]
LINK_FLAGS = ["-Wl,--strip-all"] if sys.platform == "linux" else []
# What all modules need of memoryviews. In each of them it was a fifth of the wheel.
VIEWS = "cygrad._engine.views"


def module(name: str, *c_sources: str, optimize: str = "-O2") -> Extension:
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
        extra_compile_args=[optimize, "-g0", "-ffp-contract=off", "-fvisibility=hidden"],
        extra_link_args=LINK_FLAGS,
        libraries=["m"],
        py_limited_api=True,
    )


def views() -> Extension:
    return Extension(
        VIEWS,
        ["build/cython/views.c"],  # generated
        define_macros=DEFINES,
        extra_compile_args=["-O2", "-g0", "-fvisibility=hidden"],
        extra_link_args=LINK_FLAGS,
        py_limited_api=True,
    )


setup(
    ext_modules=cythonize(
        [
            module("kernels", "csrc/processor.c"),
            module("samples", "csrc/samples.c", optimize="-O3"),  # loops that become vectors
            module("interrupts", "csrc/processor.c"),
            module("team", "csrc/team.c", "csrc/processor.c"),
            module("loops", "csrc/processor.c"),
            module("equations"),
            module("plan"),
            module("loops_plan"),
            module("passes", "csrc/team.c"),
            module("engine"),
            module("training"),
            module("tape"),
            views(),
        ],
        shared_utility_qualified_name=VIEWS,
        include_path=["src"],
        build_dir="build/cython",
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "auto_pickle": False,
            "autotestdict": False,
        },
    ),
    cmdclass={"build_ext": BuildKernels},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
