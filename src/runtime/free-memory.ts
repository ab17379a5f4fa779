/** Gives memory back that nothing reads any more, without waiting for the garbage collector. */
import { MessageChannel } from 'node:worker_threads';

const { port1: nowhere, port2: end } = new MessageChannel();
end.close();
nowhere.unref();

/**
 * Frees the memory of arrays; they are empty afterwards, as is every other view of it.
 *
 * V8 collects a thread's garbage whenever dead arrays hold a few times what its heap does, and each time goes through all that lives. Memory that moves
 * to a port which nobody listens to is gone at once.
 */
export function freeMemory(arrays: Iterable<Float32Array | Uint8Array>): void {
  for (const { buffer } of arrays) {
    // Memory of several views is named several times, and what several threads share does not move.
    if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) nowhere.postMessage(null, [buffer]);
  }
}
