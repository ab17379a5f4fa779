/**
 * The part of protobuf's wire format that ONNX files need: length-prefixed messages whose large byte arrays stay views
 * until they are written.
 *
 * Source: Protocol Buffers, "Encoding".
 */

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

const encoder = new TextEncoder();

function encodeVarint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

/** One message under construction; parts are kept in order and never copied before {@link Message.toBytes}. */
export class Message {
  readonly parts: Uint8Array[] = [];
  length = 0;

  #push(part: Uint8Array): void {
    this.parts.push(part);
    this.length += part.length;
  }

  #key(field: number, wire: number): void {
    this.#push(encodeVarint(BigInt((field << 3) | wire)));
  }

  /** Integer field; negative values are written in two's complement, as int64 is. */
  varint(field: number, value: number | bigint): void {
    this.#key(field, WIRE_VARINT);
    this.#push(encodeVarint(BigInt(value)));
  }

  /** 32-bit float field. */
  float(field: number, value: number): void {
    this.#key(field, WIRE_FIXED32);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
  }

  /** Byte array field; the array is kept as it is. */
  bytes(field: number, value: Uint8Array): void {
    this.#key(field, WIRE_BYTES);
    this.#push(encodeVarint(BigInt(value.length)));
    this.#push(value);
  }

  /** UTF-8 text field. */
  string(field: number, value: string): void {
    this.bytes(field, encoder.encode(value));
  }

  /** Sub-message field; `child` must be complete. */
  message(field: number, child: Message): void {
    this.#key(field, WIRE_BYTES);
    this.#push(encodeVarint(BigInt(child.length)));
    for (const part of child.parts) this.#push(part);
  }

  /** The whole message in one array. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    let offset = 0;
    for (const part of this.parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return bytes;
  }
}
