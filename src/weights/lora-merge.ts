/** Weights with LoRAs merged into them: W + Σ λ · (alpha/rank) · up · down, for one weight at a time when it is read. */
import { ModelError } from '../errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LoraAdapter, LoraModule } from './lora.ts';
import { addLowRankProducts, type LowRankProduct } from './low-rank.ts';
import type { WeightSource } from './weight-source.ts';

/** A LoRA and how strongly it is applied. */
interface ScaledLora {
  readonly lora: LoraAdapter;
  /** λ; 1 as trained, 0 not at all. */
  readonly scale: number;
}

interface Change {
  readonly module: LoraModule;
  readonly scale: number;
}

/**
 * The weights of `base` with LoRAs merged in. `base` and the LoRAs stay open and unchanged, and are read when a merged
 * weight is; weights that no LoRA changes are passed through.
 *
 * The sum is exact to one rounding to float32: LoRAs with opposite scales leave the base bit by bit.
 *
 * @throws {@link ModelError} naming LoRA and module if the base has no such weight, or it has another shape.
 */
export function withLoras(base: WeightSource, loras: readonly ScaledLora[]): WeightSource {
  const changes = new Map<string, Change[]>();
  const flatNames = indexFlatNames(base);
  for (const { lora, scale } of loras) {
    for (const module of lora.modules) {
      const key = module.flat ? flatNames.get(module.name) : `${module.name}.weight`;
      if (key === undefined || !base.has(key)) {
        throw new ModelError(
          `Cannot use LoRA ${lora.path}: expected modules of ${base.path}, got ${module.name}; it was made for another network` +
            describeNetwork(lora),
          lora.path,
        );
      }
      assertFits(base, key, lora, module);
      const list = changes.get(key) ?? [];
      list.push({ module, scale: scale * module.scale });
      changes.set(key, list);
    }
  }
  return {
    path: [base.path, ...loras.map(({ lora }) => lora.path)].join(' + '),
    keys: () => base.keys(),
    has: (key) => base.has(key),
    info: (key) => base.info(key),
    read: (key) => {
      const weight = base.read(key);
      const list = changes.get(key);
      return list === undefined ? weight : merge(weight, list);
    },
  };
}

function describeNetwork({ network }: LoraAdapter): string {
  return network === undefined ? '' : ` and looks like ${network}`;
}

/**
 * Flat names are looked up among the network's own: turning underscores back into dots by rule misspells names like
 * `motion_modules`.
 */
function indexFlatNames(base: WeightSource): Map<string, string> {
  const names = new Map<string, string>();
  for (const key of base.keys()) {
    if (key.endsWith('.weight')) names.set(key.slice(0, -'.weight'.length).replaceAll('.', '_'), key);
  }
  return names;
}

function assertFits(base: WeightSource, key: string, lora: LoraAdapter, module: LoraModule): void {
  const { dims } = base.info(key);
  const { downDims, upDims } = module;
  // The product has the shape [out, in, …kernel]; a 1×1 kernel may be written or left out.
  const product = withoutPointKernel([upDims[0]!, ...downDims.slice(1)]);
  if (product.join() !== withoutPointKernel(dims).join()) {
    throw new ModelError(
      `Cannot use LoRA ${lora.path}: expected ${module.name} to change [${dims.join(', ')}], the shape of ${key}, got ` +
        `[${product.join(', ')}]${lora.network === undefined ? '' : `; it looks like ${lora.network}`}`,
      lora.path,
    );
  }
}

function withoutPointKernel(dims: readonly number[]): readonly number[] {
  return dims.length === 4 && dims[2] === 1 && dims[3] === 1 ? dims.slice(0, 2) : dims;
}

function merge(weight: Tensor, changes: readonly Change[]): Tensor {
  const rows = weight.dims[0]!;
  const products: LowRankProduct[] = changes.map(({ module, scale }) => ({
    up: module.readUp().data,
    down: module.readDown().data,
    rank: module.rank,
    scale,
  }));
  return { data: addLowRankProducts(weight.data, rows, products), dims: weight.dims };
}
