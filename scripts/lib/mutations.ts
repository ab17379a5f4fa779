/** Files with random damage, the same for the same seed. */

/** Numbers from 0 to below 1. Source: mulberry32 by Tommy Ettinger. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Numbers that sizes, offsets and counts go wrong at. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
/** What readers of text trip over. */
const WORDS = [
  ...[
    'null',
    '{}',
    '[]',
    '""',
    '-1',
    '1e999',
    '9007199254740993',
    'NaN',
    '"\\ud800"',
    '__proto__',
    'constructor',
  ],
  ...[
    '\0',
    '\x07',
    '\ufeff',
    '\u2028',
    '~/',
    '../',
    '\\',
    '{{',
    '}',
    '*',
    '&a',
    '*a',
    '<<',
    '!!js/function',
    '|',
    ';',
    '"',
    "'",
  ],
  ...['\r', '\t', ',', ': ', '- '],
];

/** A copy of `bytes` with one to six things wrong, mostly few. */
export function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const pick = (count: number): number => Math.floor(random() * count);
  let copy = Buffer.from(bytes);
  for (let left = 1 + pick(1 + pick(6)); left > 0; left--) {
    const at = pick(copy.length + 1);
    switch (pick(8)) {
      case 0: // a bit
        if (at < copy.length) copy[at]! ^= 1 << pick(8);
        break;
      case 1: // a byte
        if (at < copy.length) copy[at] = pick(256);
        break;
      case 2: // a number
        if (at + 8 <= copy.length) {
          const edge = EDGES[pick(EDGES.length)]!;
          if (pick(2) === 0) copy.writeUInt32LE(edge, at);
          else copy.writeBigUInt64LE(BigInt(edge) << BigInt(pick(33)), at);
        }
        break;
      case 3: // cut
        copy = copy.subarray(0, at);
        break;
      case 4: {
        // a piece taken out
        copy = Buffer.concat([copy.subarray(0, at), copy.subarray(Math.min(copy.length, at + 1 + pick(64)))]);
        break;
      }
      case 5: {
        // a piece twice
        const piece = copy.subarray(at, at + 1 + pick(200));
        copy = Buffer.concat([copy.subarray(0, at), piece, copy.subarray(at)]);
        break;
      }
      case 6: {
        // a piece from elsewhere
        const from = pick(copy.length + 1);
        const piece = Buffer.from(copy.subarray(from, from + 1 + pick(32)));
        if (at + piece.length <= copy.length) piece.copy(copy, at);
        break;
      }
      default: {
        // a word
        const word = Buffer.from(WORDS[pick(WORDS.length)]!);
        copy = Buffer.concat([copy.subarray(0, at), word, copy.subarray(at)]);
      }
    }
  }
  return new Uint8Array(copy);
}
