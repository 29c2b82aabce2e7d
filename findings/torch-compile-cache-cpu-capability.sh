#!/usr/bin/env bash
# PyTorch 2.13.0, torch.compile: compiled code in the cache does not depend on ATEN_CPU_CAPABILITY.
#
# Guess before the run: the key of the cache (TORCHINDUCTOR_CACHE_DIR, by default in /tmp) includes
# the instruction set, so that a process with ATEN_CPU_CAPABILITY=avx2 compiles anew, or uses code
# that is slower or faster than it should be; the numbers agree in any case.
#
# Seen (Intel Xeon with AVX-512, gcc 12.2): a process with the default capability, AVX-512, compiles
# x + 1 and fills the cache. A second one with ATEN_CPU_CAPABILITY=avx2 and the same cache gives
# other numbers, NaN or of any size, without an error or a warning. With a cache of its own, or with
# TORCHINDUCTOR_FORCE_DISABLE_CACHES=1, its numbers are right.
#
# It meets whoever compares instruction sets by this variable on one machine. Needs a processor with
# AVX-512, a C++ compiler, and Python 3.10 or newer. Exits with 0 if all this is still so, with 1 if
# it has changed, with 77 if the processor lacks AVX-512.
set -euo pipefail

grep -qm1 avx512f /proc/cpuinfo || { echo 'this processor lacks AVX-512'; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat > "$folder/compare.py" <<'PYTHON'
import torch

x = torch.linspace(-1, 1, 16000).reshape(1000, 16)
difference = (torch.compile(lambda x: x + 1)(x) - (x + 1)).abs().max().item()
capability = torch.backends.cpu.get_cpu_capability()
print(capability, "right" if difference < 1e-6 else f"wrong: largest difference {difference}")
PYTHON
compare() { # CACHE [CAPABILITY]: the second word that is printed
    env TORCHINDUCTOR_CACHE_DIR="$folder/$1" ${2:+ATEN_CPU_CAPABILITY=$2} \
        "$folder/venv/bin/python" "$folder/compare.py" | tee /dev/stderr | awk '{ print $2 }'
}

echo 'AVX-512 fills a cache; AVX2 uses it; AVX2 with a cache of its own:'
first=$(compare shared)
second=$(compare shared avx2)
third=$(compare own avx2)
[[ $first == right && $second == wrong:* && $third == right ]]
