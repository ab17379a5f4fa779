/** Sound files for the measurements. */

/** A WAV file, 16 bit mono, of samples in −1 … 1; what lies beyond is clipped. */
export function encodeWav(pcm: Float32Array, sampleRate: number): Buffer {
  const bytes = Buffer.alloc(44 + 2 * pcm.length);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + 2 * pcm.length, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20); // PCM
  bytes.writeUInt16LE(1, 22); // channels
  bytes.writeUInt32LE(sampleRate, 24);
  bytes.writeUInt32LE(2 * sampleRate, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(2 * pcm.length, 40);
  for (const [i, value] of pcm.entries()) {
    bytes.writeInt16LE(Math.round(Math.min(1, Math.max(-1, value)) * 32767), 44 + 2 * i);
  }
  return bytes;
}
