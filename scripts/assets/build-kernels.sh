#!/bin/sh
# Makes assets/kernels/pixels.wasm and noise.wasm from their sources in scripts/assets; fetches the compiler, which nothing else needs.
# The same version gives the same bytes. Run from the repository's root.
set -eu
for source in scripts/assets/pixel-kernels/pixels.ts scripts/assets/noise-kernel/noise.ts; do
  kernel=assets/kernels/$(basename "$source" .ts)
  npx --yes --package assemblyscript@0.28.20 asc "$source" --outFile "$kernel.wasm" \
    --optimizeLevel 3 --shrinkLevel 0 --noAssert --runtime stub --enable simd
  sha256sum < "$source" | cut -d ' ' -f 1 > "$kernel.source.sha256"
done
