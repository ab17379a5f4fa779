/** The server, as the page asks it. */

import { showAway } from './dom.js';

/** An answer that says no: `fields` has what is wrong with each, by name. */
export class Problem extends Error {
  constructor({ detail, title, errors = [] }, status) {
    super(detail ?? title ?? `the server answers ${status}`);
    this.status = status;
    this.fields = new Map(errors.map((error) => [error.field, error.detail]));
  }
}

export async function ask(path, { method = 'GET', body, signal } = {}) {
  const response = await fetch(path, {
    method,
    signal,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  }).catch((error) => {
    if (signal?.aborted) throw error;
    showAway(true);
    throw new Problem({ detail: 'the server cannot be reached' }, 0);
  });
  showAway(false);
  if (response.status === 204) return undefined;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(answer, response.status);
  return answer;
}

/** Sends a file; `onProgress` gets the share that has gone. */
export function upload(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/v1/uploads');
    request.responseType = 'json';
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onload = () =>
      request.status === 201
        ? resolve(request.response)
        : reject(new Problem(request.response ?? {}, request.status));
    request.onerror = () => reject(new Problem({ detail: 'the server cannot be reached' }, 0));
    request.onabort = () => reject(new DOMException('another file was chosen', 'AbortError'));
    signal.addEventListener('abort', () => request.abort());
    const form = new FormData();
    form.append('file', file, file.name || 'recording.webm');
    request.send(form);
  });
}
