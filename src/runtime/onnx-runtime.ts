/** The package onnxruntime-node, required and not imported: Node.js would look through its code for names first, in the thread of every engine. */
import { createRequire } from 'node:module';
import type * as OnnxRuntime from 'onnxruntime-node';

export const onnxRuntime = createRequire(import.meta.url)('onnxruntime-node') as typeof OnnxRuntime;
