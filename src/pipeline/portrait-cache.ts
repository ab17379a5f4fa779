/** The portrait that was opened last, kept for the next clip of the same picture. */

import type { SeenFace } from '../face/portrait-face.ts';
import { hashFile } from '../files/hash-file.ts';
import { isBackgroundWord } from '../scene/background-words.ts';
import type { ScenePortrait } from '../scene/scene.ts';
import type { PortraitRequest } from './frame-protocol.ts';

/** Larger ones are not kept: a portrait takes some 68 bytes a pixel. */
const MAX_PIXELS = 1.5e6;

/** A portrait with what was said when it was opened. */
export interface OpenedPortrait {
  readonly portrait: ScenePortrait;
  readonly faces: readonly SeenFace[];
  readonly notices: readonly string[];
}

/** Knows a portrait by the contents of its files, and by how it is shown. */
export class PortraitCache {
  #last: { readonly key: string; readonly opened: OpenedPortrait } | undefined;

  /**
   * The portrait of a request.
   *
   * @param open - called unless it is the one of the call before; gives notices to `notice` itself.
   * @throws what `open` throws.
   */
  async get(
    request: PortraitRequest,
    notice: (message: string) => void,
    open: () => Promise<OpenedPortrait>,
  ): Promise<OpenedPortrait> {
    // A file that cannot be read is reported by those who read it.
    const key = await keyOf(request).catch(() => undefined);
    if (key !== undefined && this.#last?.key === key) {
      for (const message of this.#last.opened.notices) notice(message);
      return this.#last.opened;
    }
    const opened = await open();
    const { width, height } = opened.portrait;
    // The next file of these contents may have another name.
    const namesFile = opened.notices.some((notice) => notice.includes(request.path));
    if (key !== undefined && width * height <= MAX_PIXELS && !namesFile) this.#last = { key, opened };
    return opened;
  }
}

async function keyOf({ kind: _, clip: __, path, background, ...shown }: PortraitRequest): Promise<string> {
  const behind =
    background === undefined || isBackgroundWord(background)
      ? background
      : (await hashFile(background)).sha256;
  return JSON.stringify([(await hashFile(path)).sha256, behind, shown]);
}
