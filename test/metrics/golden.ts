/** Numbers of independent implementations, written by scripts/golden/metrics.py. */
import { readFileSync } from 'node:fs';
import type { Box } from '../../src/metrics/picture.ts';
import type { Degradation } from './pictures.ts';

interface PairValues {
  readonly psnr: number;
  readonly ssim: number;
  readonly msSsim: number | null;
}

/** Folder of the goldens. */
export const GOLDEN: URL = new URL('../golden/metrics/', import.meta.url);

/** Contents of metrics.json. */
export const golden = JSON.parse(readFileSync(new URL('metrics.json', GOLDEN), 'utf8')) as {
  readonly pairs: readonly (PairValues & {
    readonly kind: Degradation;
    readonly width: number;
    readonly height: number;
  })[];
  readonly photo: PairValues;
  readonly series: {
    readonly driver: readonly number[];
    readonly follower: readonly number[];
    readonly correlation: number;
    readonly lag: number;
    readonly deviation: number;
    readonly median: number;
  };
  readonly flicker: {
    readonly shifts: readonly number[];
    readonly width: number;
    readonly height: number;
    readonly box: Box;
    readonly inside: number;
    readonly outside: number;
  };
};
