#!/bin/sh
# Makes assets/kernels/pixels.wasm from scripts/assets/pixel-kernels/pixels.ts; fetches the compiler, which nothing else needs.
# The same version gives the same bytes. Run from the repository's root.
set -eu
source=scripts/assets/pixel-kernels/pixels.ts
npx --yes --package assemblyscript@0.28.20 asc "$source" --outFile assets/kernels/pixels.wasm \
  --optimizeLevel 3 --shrinkLevel 0 --noAssert --runtime stub --enable simd
sha256sum < "$source" | cut -d ' ' -f 1 > assets/kernels/pixels.source.sha256
