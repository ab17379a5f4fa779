/** A bundle's calibration: ranges of the activations of its networks, which 8-bit integers need. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ModelError } from '../errors.ts';
import type { Bundle } from './bundle.ts';
import type { NetworkRanges } from './quantization.ts';

/** Version of the file that this program reads and writes. */
export const CALIBRATION_FORMAT = 1;

/** Networks that may be computed in integers. */
export type CalibratedNetwork = 'denoisingUnet' | 'poseGuider' | 'codec';

/** Contents of a calibration file. */
export interface Calibration {
  readonly formatVersion: number;
  /** On what the ranges were measured. */
  readonly description: string;
  /** By network, then by layer; a network or layer that is not named stays float32. */
  readonly networks: Readonly<Partial<Record<CalibratedNetwork, NetworkRanges>>>;
}

const range = z
  .tuple([z.number(), z.number()])
  .refine(([low, high]) => low <= high, { error: 'expected a lower end that is not above the upper one' });

const schema = z.object({
  formatVersion: z.literal(CALIBRATION_FORMAT),
  description: z.string(),
  networks: z.partialRecord(
    z.enum(['denoisingUnet', 'poseGuider', 'codec']),
    z.record(z.string(), z.object({ input: range, output: range.optional() })),
  ),
});

/**
 * Reads the calibration of a bundle.
 *
 * @throws {@link ModelError} if the bundle has none, or if it is damaged or of another version.
 */
export function readCalibration(bundle: Bundle): Calibration {
  const file = bundle.pathOf('calibration');
  const fail = (got: string, cause?: unknown): ModelError =>
    new ModelError(
      `Cannot read the calibration of bundle ${bundle.description.name}: expected ranges of activations, got ${got}; fetch the bundle again`,
      file,
      { cause },
    );
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw fail('a file that is not valid JSON', error);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw fail(`${path.join('.') || 'the file'}: ${message.replace(/^Invalid input: /, '')}`, parsed.error);
}
