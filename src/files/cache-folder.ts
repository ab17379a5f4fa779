/** Where the program keeps what it can make again. */
import path from 'node:path';

/**
 * The folder of this program's caches: `LCM_PORTRAIT_CACHE`, or its own in the system's folder for caches.
 *
 * @param env - as `process.env`.
 * @param platform - as `process.platform`.
 * @param home - the user's folder, as {@link userHome} gives it.
 * @example
 * cacheFolder({}, 'linux', '/home/ada'); // /home/ada/.cache/lcm-portrait
 * Source: XDG Base Directory Specification; Apple's File System Programming Guide; Known Folders of Windows.
 */
export function cacheFolder(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform,
  home: string,
): string {
  if (env.LCM_PORTRAIT_CACHE) return path.resolve(env.LCM_PORTRAIT_CACHE);
  const name = 'lcm-portrait';
  if (platform === 'win32')
    return path.join(env.LOCALAPPDATA || path.join(home, 'AppData', 'Local'), name, 'Cache');
  if (platform === 'darwin') return path.join(home, 'Library', 'Caches', name);
  // The specification says that relative paths are to be ignored.
  const xdg = env.XDG_CACHE_HOME;
  return path.join(xdg && path.isAbsolute(xdg) ? xdg : path.join(home, '.cache'), name);
}

/** Where weights and graphs are in it. */
export function weightsFolder(...where: Parameters<typeof cacheFolder>): string {
  return path.join(cacheFolder(...where), 'weights');
}
