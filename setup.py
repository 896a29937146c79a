"""Builds recon._core, the native kernels. Everything else is said in pyproject.toml."""

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

import nanobind
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# One more copy of the kernels for each of these; core/module.cpp chooses when it is loaded.
LEVELS = ["x86-64-v3", "x86-64-v4"] if sysconfig.get_platform() == "linux-x86_64" else []

# -fno-wrapv takes back what Python itself was compiled with and hands down. Without traps and errno
# the compiler may compute both sides of a choice, which is what vectorises it.
FLAGS = ["-std=c++17", "-O3", "-g0", "-fno-wrapv", "-fno-math-errno", "-fno-trapping-math"]
FLAGS += ["-fvisibility=hidden"]
OPENMP = []
if sys.platform == "linux":
    OPENMP = ["-fopenmp"]  # Apple's clang ships without it.
elif sys.platform == "darwin":
    # Needed by nanobind, and refused by default where Python aims at macOS before 10.13.
    FLAGS += ["-faligned-allocation"]
NANOBIND = Path(nanobind.include_dir()).parent
KERNELS = sorted(map(str, Path("core/kernels").glob("*.cpp")))
BINDINGS = sorted(map(str, Path("core").glob("*.cpp")))
HEADERS = sorted(map(str, Path("core").rglob("*.h")))


def compiler() -> str | None:
    """Name the C++ compiler: the user's, the one that built Python, or the system's."""
    wishes = [os.environ.get("CXX"), sysconfig.get_config_var("CXX"), "c++", "g++", "clang++"]
    return next((w for w in wishes if w and shutil.which(shlex.split(w)[0])), None)


class BuildCore(build_ext):
    """Adds the kernels of each level, compiled with a flag that nothing else sees."""

    def build_extension(self, ext: Extension) -> None:
        """Compile the extra kernels, then the extension around them."""
        # They are linked last, weakest first, because the linker keeps the first copy of an inline
        # function that several objects share: nothing may call a copy above its own level.
        for level in LEVELS:
            ext.extra_objects += self.compiler.compile(
                KERNELS,
                output_dir=f"{self.build_temp}/{level}",
                macros=[("ISA", level.replace("-", "_"))],
                extra_postargs=[*FLAGS, *OPENMP, f"-march={level}"],
            )
        super().build_extension(ext)


core = Extension(
    "recon._core",
    sources=[*KERNELS, *BINDINGS, f"{NANOBIND}/src/nb_combined.cpp"],
    depends=HEADERS,
    include_dirs=[f"{NANOBIND}/include", f"{NANOBIND}/ext/robin_map/include"],
    define_macros=[("RECON_X86_64_LEVELS", None)] if LEVELS else [],
    extra_compile_args=[*FLAGS, *OPENMP, "-fno-strict-aliasing"],
    extra_link_args=OPENMP,
)

# Without a compiler or Python's headers the package is pure Python, and `recon` says what it lacks.
# With them, a kernel that does not compile is an error.
cxx = compiler()
if cxx and Path(sysconfig.get_path("include"), "Python.h").is_file():
    os.environ["CXX"] = cxx
    setup(cmdclass={"build_ext": BuildCore}, ext_modules=[core])
else:
    setup()
