/**
 * Spans of time as a file that chrome://tracing and Perfetto open.
 *
 * Source: Trace Event Format, the JSON object form with complete (`X`) and metadata (`M`) events.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { NamedSpan } from '../runtime/time-span.ts';

/** A span with what a viewer shows when it is chosen. */
export interface TraceSpan extends NamedSpan {
  readonly category: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** A row of spans, or as many rows as it takes where they overlap. */
export interface Track {
  /** Tracks of one process stand together. */
  readonly process: string;
  readonly name: string;
  readonly spans: readonly TraceSpan[];
}

/** Spans in rows: those of one row follow each other or lie within each other, as viewers demand of a thread. */
export function placeInRows<T extends NamedSpan>(spans: readonly T[]): T[][] {
  const rows: { readonly spans: T[]; readonly open: T[] }[] = [];
  const ordered = [...spans].sort((a, b) => a.begin - b.begin || b.end - a.end);
  for (const span of ordered) {
    let row = rows.find(({ open }) => {
      while (open.length > 0 && open.at(-1)!.end <= span.begin) open.pop();
      return open.length === 0 || span.end <= open.at(-1)!.end;
    });
    if (row === undefined) {
      row = { spans: [], open: [] };
      rows.push(row);
    }
    row.spans.push(span);
    row.open.push(span);
  }
  return rows.map((row) => row.spans);
}

/** Microseconds with three decimals, so that rounding keeps the order of times. */
function microseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6) / 1e3;
}

/** The events of all tracks, times from `origin` in milliseconds. */
export function* traceEvents(tracks: readonly Track[], origin: number): Generator<object> {
  const processes = [...new Set(tracks.map(({ process }) => process))];
  for (const [index, name] of processes.entries()) {
    yield { ph: 'M', name: 'process_name', pid: index + 1, tid: 0, args: { name } };
    yield { ph: 'M', name: 'process_sort_index', pid: index + 1, tid: 0, args: { sort_index: index } };
  }
  let thread = 0;
  for (const track of tracks) {
    const pid = processes.indexOf(track.process) + 1;
    for (const [row, spans] of placeInRows(track.spans).entries()) {
      const tid = ++thread;
      const name = row === 0 ? track.name : `${track.name}, ${row + 1}`;
      yield { ph: 'M', name: 'thread_name', pid, tid, args: { name } };
      yield { ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: tid } };
      for (const { name: title, category: cat, begin, end, args } of spans) {
        const ts = microseconds(begin - origin);
        const dur = Math.round((microseconds(end - origin) - ts) * 1e3) / 1e3;
        yield { ph: 'X', name: title, cat, ts, dur, pid, tid, ...(args !== undefined && { args }) };
      }
    }
  }
}

/** Events that are written at once. */
const CHUNK = 2000;

/** Writes the whole trace to `file`, which must not exist; `facts` are shown by viewers as metadata. */
export async function writeTrace(
  file: string,
  tracks: readonly Track[],
  { origin, facts }: { readonly origin: number; readonly facts: Readonly<Record<string, unknown>> },
): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'wx');
    await handle.write(`{"displayTimeUnit":"ms","otherData":${JSON.stringify(facts)},"traceEvents":[\n`);
    let lines: string[] = [];
    let separator = '';
    const flush = async (): Promise<void> => {
      if (lines.length > 0) await handle!.write(separator + lines.join(',\n'));
      if (lines.length > 0) separator = ',\n';
      lines = [];
    };
    for (const event of traceEvents(tracks, origin)) {
      lines.push(JSON.stringify(event));
      if (lines.length === CHUNK) await flush();
    }
    await flush();
    await handle.write('\n]}\n');
  } finally {
    await handle?.close();
  }
}
