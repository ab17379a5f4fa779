/** The package's own files: networks, kernels, code of threads. They are found from where its code lies. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EnvironmentError } from '../errors.ts';

const WAY_OUT =
  'An application that is bundled into one file leaves lcm-portrait out of it (esbuild: --external:lcm-portrait) and has it in ' +
  'node_modules; elsewhere, install lcm-portrait again';

/**
 * The address of a file or folder of the package.
 *
 * @param relative - as seen from the module that asks, with slashes.
 * @param module - its `import.meta.url`, which bundlers for CommonJS leave undefined.
 * @throws {@link EnvironmentError} if nobody knows where the module lies.
 */
export function ownUrl(relative: string, module: string | undefined): URL {
  if (module !== undefined) return new URL(relative, module);
  throw new EnvironmentError(
    `Cannot find lcm-portrait's own files: expected its code as it was installed, got it inside another file. ${WAY_OUT}`,
  );
}

/**
 * The same address, of a file or folder that is there.
 *
 * @throws {@link EnvironmentError} if it is missing.
 */
export function ownFile(url: URL): URL {
  if (existsSync(url)) return url;
  throw new EnvironmentError(
    `Cannot find lcm-portrait's own files: expected ${fileURLToPath(url)}, got nothing there. ${WAY_OUT}`,
  );
}
