/** The head motions that the package carries. */
import { fileURLToPath } from 'node:url';
import { ownUrl } from '../files/own-file.ts';

const FOLDER = ownUrl('../../assets/motion/', import.meta.url);

/** Names of the templates, from little motion to much. */
export const HEAD_MOTIONS = ['calm', 'natural', 'lively'] as const;

/** The file of a template, or the path that is none of their names. */
export function locateHeadMotion(nameOrPath: string): string {
  return (HEAD_MOTIONS as readonly string[]).includes(nameOrPath)
    ? fileURLToPath(new URL(`${nameOrPath}.motion`, FOLDER))
    : nameOrPath;
}
