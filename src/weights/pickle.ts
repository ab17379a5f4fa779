/**
 * Reads the pickles inside PyTorch's files: a pickle is a program, and this machine for it has plain values, and the few
 * names that rebuild tensors. Nothing is imported, called or executed: an object of any other class is a record of what the
 * pickle says about it, so that the other tensors can be read. A name that serves to run programs ends the reading.
 *
 * Source: Python's `pickletools`, protocols 0 to 5 but for buffers outside the pickle.
 */
import { ModelError } from '../errors.ts';
import { PickleCursor } from './pickle-cursor.ts';
import { PickleGlobal, PickleObject, PickleTuple } from './pickle-values.ts';

/** What the caller knows of the names in a pickle. */
export interface PickleHost {
  /** The file, for messages. */
  readonly path: string;
  /** Whether `reduce` knows the name, e.g. `torch._utils._rebuild_tensor_v2`; calls of others give a {@link PickleObject}. */
  knows(name: string): boolean;
  /** The value that calling `name` stands for; undefined if it cannot be called so. */
  reduce(name: string, args: readonly unknown[]): unknown;
  /** The value that a persistent identity stands for; undefined if there is no such thing. */
  load(identity: unknown): unknown;
}

/** Number of opcodes that a pickle may have: many times those of the largest networks. */
const MAX_OPCODES = 20_000_000;

const MARK = Symbol('mark');
const latin1 = new TextDecoder('latin1');

/** Opcodes that look names up elsewhere, by name for the message. */
const REFUSED: Readonly<Record<number, string>> = {
  80: 'PERSID',
  130: 'EXT1',
  131: 'EXT2',
  132: 'EXT4',
  151: 'NEXT_BUFFER',
};

/** Python's names for running programs. Nothing would run here, but who wrote such a file meant it to. */
const PROGRAMS =
  /^(?:(?:os|posix|nt|subprocess|sys|pty|runpy|importlib|ctypes|socket|shutil|code|webbrowser)(?:\.|$)|(?:builtins|__builtin__)\.(?:eval|exec|execfile|compile|open|input|getattr|setattr|delattr|globals|__import__|breakpoint|apply)$)/;

/**
 * Runs one pickle from `offset` on.
 *
 * @returns the value, and the offset after the pickle. Dictionaries are `Map`s, lists arrays, integers numbers where they
 *   are safe and bigints elsewhere.
 * @throws {@link ModelError} if it is damaged, or names something that does not rebuild a tensor.
 */
export function readPickle(
  bytes: Uint8Array,
  host: PickleHost,
  offset = 0,
): { readonly value: unknown; readonly end: number } {
  const cursor = new PickleCursor(bytes, host.path, offset);
  const value = new PickleReader(cursor, host).run();
  return { value, end: cursor.offset };
}

class PickleReader {
  readonly #cursor: PickleCursor;
  readonly #host: PickleHost;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(cursor: PickleCursor, host: PickleHost) {
    this.#cursor = cursor;
    this.#host = host;
  }

  run(): unknown {
    for (let count = 0; count < MAX_OPCODES; count++) {
      const opcode = this.#cursor.byte();
      if (opcode === 0x2e) return this.#pop(); // STOP
      this.#step(opcode);
    }
    throw this.#cursor.damaged(`at most ${MAX_OPCODES} opcodes`, 'more');
  }

  #step(opcode: number): void {
    const stack = this.#stack;
    switch (opcode) {
      case 0x80: // PROTO
        this.#cursor.byte();
        break;
      case 0x95: // FRAME
        this.#cursor.take(8);
        break;
      case 0x28:
        stack.push(MARK);
        break;
      case 0x30: // POP
        this.#pop();
        break;
      case 0x31: // POP_MARK
        this.#popToMark();
        break;
      case 0x32: // DUP
        stack.push(this.#top());
        break;
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
        stack.push(true);
        break;
      case 0x89: // NEWFALSE
        stack.push(false);
        break;
      case 0x4b: // BININT1
        stack.push(this.#cursor.byte());
        break;
      case 0x4d: // BININT2
        stack.push(this.#cursor.number(2, (view, at) => view.getUint16(at, true)));
        break;
      case 0x4a: // BININT
        stack.push(this.#cursor.number(4, (view, at) => view.getInt32(at, true)));
        break;
      case 0x47: // BINFLOAT
        stack.push(this.#cursor.number(8, (view, at) => view.getFloat64(at, false)));
        break;
      case 0x8a: // LONG1
        stack.push(this.#cursor.integer(this.#cursor.byte()));
        break;
      case 0x8b: // LONG4
        stack.push(this.#cursor.integer(this.#cursor.length(4)));
        break;
      case 0x49: // INT
      case 0x4c: // LONG
      case 0x46: // FLOAT
        stack.push(this.#cursor.decimal(opcode === 0x49));
        break;
      case 0x53: // STRING, of protocol 0
      case 0x56: // UNICODE
        stack.push(this.#cursor.line().replace(/^(['"])(.*)\1$/, '$2'));
        break;
      case 0x58: // BINUNICODE
        stack.push(this.#cursor.text(this.#cursor.length(4)));
        break;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(this.#cursor.text(this.#cursor.byte()));
        break;
      case 0x8d: // BINUNICODE8
        stack.push(this.#cursor.text(this.#cursor.length(8)));
        break;
      case 0x54: // BINSTRING, from Python 2
        stack.push(latin1.decode(this.#cursor.take(this.#cursor.length(4))));
        break;
      case 0x55: // SHORT_BINSTRING
        stack.push(latin1.decode(this.#cursor.take(this.#cursor.byte())));
        break;
      case 0x42: // BINBYTES
        stack.push(this.#cursor.take(this.#cursor.length(4)).slice());
        break;
      case 0x43: // SHORT_BINBYTES
        stack.push(this.#cursor.take(this.#cursor.byte()).slice());
        break;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        stack.push(this.#cursor.take(this.#cursor.length(8)).slice());
        break;
      case 0x8f: // EMPTY_SET
        stack.push([]);
        break;
      case 0x91: // FROZENSET
        stack.push(this.#popToMark());
        break;
      case 0x29: // EMPTY_TUPLE
        stack.push(new PickleTuple([]));
        break;
      case 0x85: // TUPLE1, TUPLE2, TUPLE3
      case 0x86:
      case 0x87: {
        const items = [];
        for (let i = 0x84; i < opcode; i++) items.unshift(this.#pop());
        stack.push(new PickleTuple(items));
        break;
      }
      case 0x74: // TUPLE
        stack.push(new PickleTuple(this.#popToMark()));
        break;
      case 0x5d: // EMPTY_LIST
        stack.push([]);
        break;
      case 0x6c: // LIST
        stack.push(this.#popToMark());
        break;
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        break;
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        this.#append(this.#popToMark());
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x64: {
        // DICT
        const items = this.#popToMark();
        stack.push(new Map());
        this.#setItems(items);
        break;
      }
      case 0x73: {
        // SETITEM
        const item = this.#pop();
        this.#setItems([this.#pop(), item]);
        break;
      }
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        break;
      case 0x70: // PUT
        this.#memo.set(Number(this.#cursor.line()), this.#top());
        break;
      case 0x67: // GET
        stack.push(this.#recall(Number(this.#cursor.line())));
        break;
      case 0x71: // BINPUT
        this.#memo.set(this.#cursor.byte(), this.#top());
        break;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.#cursor.length(4), this.#top());
        break;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        break;
      case 0x68: // BINGET
        stack.push(this.#recall(this.#cursor.byte()));
        break;
      case 0x6a: // LONG_BINGET
        stack.push(this.#recall(this.#cursor.length(4)));
        break;
      case 0x63: // GLOBAL
        stack.push(this.#global(this.#cursor.line(), this.#cursor.line()));
        break;
      case 0x93: {
        // STACK_GLOBAL
        const name = this.#pop();
        stack.push(this.#global(this.#pop(), name));
        break;
      }
      case 0x52: // REDUCE
        this.#reduce();
        break;
      case 0x81: // NEWOBJ
        this.#pop();
        this.#makeObject(this.#pop());
        break;
      case 0x92: // NEWOBJ_EX
        this.#pop();
        this.#pop();
        this.#makeObject(this.#pop());
        break;
      case 0x6f: // OBJ
        this.#makeObject(this.#popToMark()[0]);
        break;
      case 0x69: {
        // INST
        const callee = this.#global(this.#cursor.line(), this.#cursor.line());
        this.#popToMark();
        this.#makeObject(callee);
        break;
      }
      case 0x51: {
        // BINPERSID
        const value = this.#host.load(this.#pop());
        if (value === undefined) throw this.#cursor.damaged('a storage', 'another persistent identity');
        stack.push(value);
        break;
      }
      case 0x62: {
        // BUILD: attributes of a dictionary, such as `_metadata` of a state dict, say nothing of its tensors
        const state = this.#pop();
        const value = this.#top();
        if (value instanceof PickleObject) value.state = state;
        else if (!(value instanceof Map)) {
          throw this.#cursor.damaged(
            'attributes for objects and dictionaries only',
            'some for another value',
          );
        }
        break;
      }
      default:
        throw this.#cursor.damaged(
          'plain values and tensors',
          `opcode ${REFUSED[opcode] ?? `0x${opcode.toString(16).padStart(2, '0')}`}`,
        );
    }
  }

  #global(module: unknown, name: unknown): PickleGlobal {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#cursor.damaged('a name', 'none');
    const full = `${module}.${name}`;
    if (PROGRAMS.test(full)) {
      throw new ModelError(
        `Cannot read ${this.#host.path}: expected tensors only, got ${JSON.stringify(full).slice(1, -1)}, which could run any program; nothing was ` +
          'executed. Ask for a safetensors file, or save the plain state dict',
        this.#host.path,
      );
    }
    return new PickleGlobal(full);
  }

  #reduce(): void {
    const args = this.#pop();
    const callee = this.#pop();
    if (!(args instanceof PickleTuple)) throw this.#cursor.damaged('arguments of a call', 'another value');
    const { items } = args;
    if (!(callee instanceof PickleGlobal) || !this.#host.knows(callee.name)) {
      this.#makeObject(callee);
      return;
    }
    let value = this.#host.reduce(callee.name, items);
    // A tensor of a kind that is not known here, say.
    if (value === undefined && items.some((item) => item instanceof PickleObject)) {
      value = new PickleObject(callee.name);
    }
    if (value === undefined) throw this.#cursor.damaged(`usable arguments of ${callee.name}`, 'others');
    this.#stack.push(value);
  }

  /** Notes that an object of a class, or the result of a call, would be here. */
  #makeObject(callee: unknown): void {
    if (!(callee instanceof PickleGlobal || callee instanceof PickleObject)) {
      throw this.#cursor.damaged('the name of a class or function', 'another value');
    }
    this.#stack.push(new PickleObject(callee.name));
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    if (list instanceof PickleObject) return;
    if (!Array.isArray(list)) throw this.#cursor.damaged('a list', 'another value');
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly unknown[]): void {
    const value = this.#top();
    const dictionary = value instanceof PickleObject ? value.items : value;
    if (!(dictionary instanceof Map) || items.length % 2 !== 0)
      throw this.#cursor.damaged('a dictionary', 'another value');
    for (let i = 0; i < items.length; i += 2) dictionary.set(items[i], items[i + 1]);
  }

  #pop(): unknown {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #top(): unknown {
    const value = this.#stack.at(-1);
    if (this.#stack.length === 0 || value === MARK)
      throw this.#cursor.damaged('a value on the stack', 'none');
    return value;
  }

  #popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#cursor.damaged('a mark on the stack', 'none');
    const items = this.#stack.splice(mark);
    items.shift();
    return items;
  }

  #recall(index: number): unknown {
    if (!this.#memo.has(index)) throw this.#cursor.damaged(`a value under number ${index}`, 'none');
    return this.#memo.get(index);
  }
}
