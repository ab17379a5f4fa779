/** Names of clips and uploads that nobody can guess: who has one may use it. */
import { randomBytes } from 'node:crypto';

const ID_BYTES = 16;

/** A new id: 128 random bits in 22 characters that are safe in URLs and file names. */
export function newId(): string {
  for (;;) {
    const id = randomBytes(ID_BYTES).toString('base64url');
    if (/^[A-Za-z0-9]/.test(id)) return id; // no name that looks like an option or is hidden
  }
}

/** Whether a text has the form of an id, and therefore leads nowhere else in a path. */
export function isId(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9][A-Za-z0-9_-]{21}$/.test(text);
}

/** An id in logs, where it must not open anything. */
export function shortId(id: string): string {
  return id.slice(0, 6);
}
