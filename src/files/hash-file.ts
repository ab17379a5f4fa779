/** The hash of a file, read in pieces. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Options of {@link hashFile}. */
interface HashFileOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes of each piece. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** SHA-256 in hexadecimal, and the file's size. */
export async function hashFile(
  file: string,
  { signal, onBytes }: HashFileOptions = {},
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, ...(signal && { signal }) })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    onBytes?.((chunk as Buffer).length);
  }
  return { bytes, sha256: hash.digest('hex') };
}
