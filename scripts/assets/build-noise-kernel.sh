#!/bin/sh
# Makes assets/kernels/noise.wasm from scripts/assets/noise-kernel/noise.ts; fetches the compiler, which nothing else needs.
# The same version gives the same bytes. Run from the repository's root.
set -eu
source=scripts/assets/noise-kernel/noise.ts
npx --yes --package assemblyscript@0.28.20 asc "$source" --outFile assets/kernels/noise.wasm \
  --optimizeLevel 3 --shrinkLevel 0 --noAssert --runtime stub --enable simd
sha256sum < "$source" | cut -d ' ' -f 1 > assets/kernels/noise.source.sha256
