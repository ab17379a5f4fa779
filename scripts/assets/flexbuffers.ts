/**
 * Reads a map of numbers and number lists from a FlexBuffer, the form in which TensorFlow Lite keeps the options of
 * operators that are not its own.
 *
 * Source: FlatBuffers, "FlexBuffers" (internals.md).
 */

/** A number, or a list of them. */
export type FlexValue = number | readonly number[];

const TYPE = { int: 1, uint: 2, float: 3, map: 9, vector: 10, ints: 11, uints: 12, floats: 13 } as const;
const LISTS: readonly number[] = [TYPE.vector, TYPE.ints, TYPE.uints, TYPE.floats];

/** The fields of the map that `bytes` holds; texts and nested maps are left out. */
export function readFlexMap(bytes: Uint8Array): Map<string, FlexValue> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const uint = (at: number, width: number): number =>
    width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  const int = (at: number, width: number): number =>
    width === 1 ? view.getInt8(at) : width === 2 ? view.getInt16(at, true) : view.getInt32(at, true);
  const float = (at: number, width: number): number =>
    width === 8 ? view.getFloat64(at, true) : view.getFloat32(at, true);
  /** Places that are pointed to lie before the pointer. */
  const follow = (at: number, width: number): number => at - uint(at, width);
  const widthOf = (packed: number): number => 1 << (packed & 3);

  const number = (type: number, at: number, width: number): number | undefined =>
    type === TYPE.int
      ? int(at, width)
      : type === TYPE.uint
        ? uint(at, width)
        : type === TYPE.float
          ? float(at, width)
          : undefined;
  const list = (type: number, at: number, width: number): number[] => {
    const length = uint(at - width, width);
    return Array.from({ length }, (_, i) => {
      const element =
        type === TYPE.vector ? view.getUint8(at + length * width + i) >> 2 : type - TYPE.ints + TYPE.int;
      return number(element, at + i * width, width) ?? Number.NaN;
    });
  };

  const rootWidth = view.getUint8(bytes.length - 1);
  const rootType = view.getUint8(bytes.length - 2);
  if (rootType >> 2 !== TYPE.map) throw new Error('Cannot read the options of an operator: expected a map');
  const width = widthOf(rootType);
  const at = follow(bytes.length - 2 - rootWidth, rootWidth);
  const length = uint(at - width, width);
  const keys = follow(at - 3 * width, width);
  const keyWidth = uint(at - 2 * width, width);
  const out = new Map<string, FlexValue>();
  for (let i = 0; i < length; i++) {
    const start = follow(keys + i * keyWidth, keyWidth);
    const key = new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
    const packed = view.getUint8(at + length * width + i);
    const type = packed >> 2;
    const place = at + i * width;
    const value = LISTS.includes(type)
      ? list(type, follow(place, width), widthOf(packed))
      : number(type, place, width);
    if (value !== undefined) out.set(key, value);
  }
  return out;
}
