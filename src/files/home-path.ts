/** Paths that begin with `~/`, as shells read them and files do not. */
import os from 'node:os';
import path from 'node:path';

/** A path that can be used, or why there is none. */
type HomePath =
  | { readonly path: string; readonly problem?: undefined }
  | { readonly path?: undefined; readonly problem: string };

/**
 * The path with the user's home in place of a leading `~`. A folder that is called so is reached as `./~`.
 *
 * @param home - asked only where it is needed; throws or is empty where there is none, as in containers.
 * @example
 * expandHome('~/clips', () => '/home/ada').path; // '/home/ada/clips'
 */
export function expandHome(text: string, home: () => string = os.homedir): HomePath {
  const [, user, rest] = /^~([^/\\]*)(?:[/\\](.*))?$/s.exec(text) ?? [];
  if (user === undefined) return { path: text };
  if (user !== '') {
    // A file of that name next to others, as editors leave them, is one.
    if (rest === undefined) return { path: text };
    return { problem: `expected ~/ or the whole path of that user's folder, got ~${user}` };
  }
  let folder = '';
  try {
    folder = home();
  } catch {
    // Nobody with this number is known to the system.
  }
  if (folder === '') return { problem: 'expected a user with a home folder for ~, got one without' };
  return { path: path.join(folder, rest ?? '') };
}
