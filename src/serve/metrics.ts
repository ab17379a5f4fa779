/** Counters and gauges in Prometheus' text format. Source: OpenMetrics 1.0, text exposition 0.0.4. */

type Labels = Readonly<Record<string, string>>;

/** Upper bounds in seconds. */
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

/** What the server counts itself. */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #buckets = BUCKETS.map(() => 0);
  #requestSeconds = 0;
  #requestCount = 0;
  readonly #ended = new Map<string, number>();
  #frames = 0;
  #renderSeconds = 0;
  #uploadedBytes = 0;

  request(method: string, route: string, status: number, seconds: number): void {
    const key = labelText({ method, route, status: String(status) });
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    this.#requestSeconds += seconds;
    this.#requestCount += 1;
    for (const [i, bound] of BUCKETS.entries()) if (seconds <= bound) this.#buckets[i]! += 1;
  }

  clipEnded(state: string, frames: number, seconds: number): void {
    this.#ended.set(state, (this.#ended.get(state) ?? 0) + 1);
    this.#frames += frames;
    this.#renderSeconds += seconds;
  }

  uploaded(bytes: number): void {
    this.#uploadedBytes += bytes;
  }

  /** @param gauges - what is true now, by name; each with labels and value. */
  text(
    gauges: Readonly<
      Record<string, { readonly help: string; readonly values: readonly (readonly [Labels, number])[] }>
    >,
  ): string {
    const lines: string[] = [];
    const head = (name: string, type: string, help: string): void => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    };
    head('lcm_portrait_http_requests_total', 'counter', 'Requests that were answered.');
    for (const [labels, count] of this.#requests)
      lines.push(`lcm_portrait_http_requests_total${labels} ${count}`);
    head('lcm_portrait_http_request_seconds', 'histogram', 'Time until a request was answered.');
    for (const [i, bound] of BUCKETS.entries()) {
      lines.push(`lcm_portrait_http_request_seconds_bucket{le="${bound}"} ${this.#buckets[i]}`);
    }
    lines.push(
      `lcm_portrait_http_request_seconds_bucket{le="+Inf"} ${this.#requestCount}`,
      `lcm_portrait_http_request_seconds_sum ${this.#requestSeconds}`,
      `lcm_portrait_http_request_seconds_count ${this.#requestCount}`,
    );
    head('lcm_portrait_clips_ended_total', 'counter', 'Clips that have ended since the start.');
    for (const state of ['succeeded', 'failed', 'canceled']) {
      lines.push(`lcm_portrait_clips_ended_total{state="${state}"} ${this.#ended.get(state) ?? 0}`);
    }
    for (const [name, help, value] of [
      ['lcm_portrait_frames_total', 'Frames of clips that have succeeded since the start.', this.#frames],
      ['lcm_portrait_render_seconds_total', 'Seconds that these clips took.', this.#renderSeconds],
      ['lcm_portrait_uploaded_bytes_total', 'Bytes of files that were received.', this.#uploadedBytes],
    ] as const) {
      head(name, 'counter', help);
      lines.push(`${name} ${value}`);
    }
    for (const [name, { help, values }] of Object.entries(gauges)) {
      head(name, 'gauge', help);
      for (const [labels, value] of values) lines.push(`${name}${labelText(labels)} ${value}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
