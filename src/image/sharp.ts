/**
 * The package sharp, required and not imported: of a CommonJS package, Node.js looks through all of the code for the names that it
 * exports before it imports it, which takes as long as loading it.
 */
import { createRequire } from 'node:module';
import type Sharp from 'sharp';

export const sharp = createRequire(import.meta.url)('sharp') as typeof Sharp;
