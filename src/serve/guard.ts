/** Who may ask: the right host, the same site, and the token. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import os from 'node:os';
import { RequestError } from './problem.ts';
import { isLoopback } from './serve-options.ts';

const COOKIE = 'lcm_portrait';
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Options of {@link Guard}. */
interface GuardOptions {
  /** Where the server listens. */
  readonly host: string;
  /** Undefined if nobody has to show one. */
  readonly token: string | undefined;
  readonly allowedHosts: readonly string[];
}

/** What a guard looks at; a `Request` has it. */
interface GuardedRequest {
  readonly method: string;
  readonly headers: Pick<Headers, 'get'>;
}

/** Looks at a request before anything else does. */
export class Guard {
  readonly #token: string | undefined;
  readonly #session: string;
  readonly #names: ReadonlySet<string>;
  readonly #anyAddress: boolean;

  constructor({ host, token, allowedHosts }: GuardOptions) {
    this.#token = token;
    // The browser keeps this in place of the token itself.
    this.#session = createHmac('sha256', token ?? '')
      .update('session')
      .digest('base64url');
    const own = isLoopback(host)
      ? ['localhost', '127.0.0.1', '[::1]', host]
      : ['localhost', os.hostname(), host];
    this.#names = new Set([...own, ...allowedHosts].map((name) => name.toLowerCase()));
    // Rebinding needs a name: an address that is written as such is the one that was meant.
    this.#anyAddress = !isLoopback(host);
  }

  /**
   * Refuses requests for other hosts, which a name that was rebound leads here, and those that other sites make.
   *
   * @throws {@link RequestError} `forbidden`.
   */
  checkOrigin(request: GuardedRequest, hostHeader: string | undefined): void {
    if (hostHeader === undefined || !this.#isOwnHost(hostHeader)) {
      throw new RequestError(
        'forbidden',
        'Cannot answer for this host: expected the name of this server; others are allowed with --allow-host',
      );
    }
    const origin = request.headers.get('origin');
    const site = request.headers.get('sec-fetch-site');
    if (origin !== null && originHost(origin) !== hostHeader.toLowerCase()) {
      throw new RequestError(
        'forbidden',
        'Cannot answer: expected a request from the page of this server, got one from another site',
      );
    }
    const isNavigation =
      request.headers.get('sec-fetch-mode') === 'navigate' && SAFE_METHODS.has(request.method);
    if ((site === 'cross-site' || site === 'same-site') && !isNavigation) {
      throw new RequestError(
        'forbidden',
        'Cannot answer: expected a request from the page of this server, got one from another site',
      );
    }
  }

  /** @throws {@link RequestError} `unauthorized` without the token, be it in a header or in the page's cookie. */
  checkToken(request: GuardedRequest): void {
    if (this.#token === undefined) return;
    const bearer = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
    if (bearer !== undefined && isEqual(bearer, this.#token)) return;
    const cookie = new RegExp(`(?:^|;\\s*)${COOKIE}=([^;]+)`).exec(request.headers.get('cookie') ?? '')?.[1];
    if (cookie !== undefined && isEqual(cookie, this.#session)) return;
    throw new RequestError(
      'unauthorized',
      'Cannot answer without the token: send it as "Authorization: Bearer …", or open the link that the server has printed',
      { headers: { 'www-authenticate': 'Bearer' } },
    );
  }

  /** The cookie for a page that was opened with the token; undefined if it is not the token. */
  openSession(token: string): string | undefined {
    if (this.#token === undefined || !isEqual(token, this.#token)) return undefined;
    return `${COOKIE}=${this.#session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000`;
  }

  #isOwnHost(header: string): boolean {
    const name = hostName(header);
    if (name === undefined) return false;
    return this.#names.has(name) || (this.#anyAddress && isIP(name.replace(/^\[|\]$/g, '')) !== 0);
  }
}

/** The name in a Host header, without the port. */
function hostName(header: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(header);
  return match?.[1]?.toLowerCase();
}

/** Host and port of an origin as a Host header has them. */
function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** Takes as long for a wrong text as for the right one. */
function isEqual(given: string, expected: string): boolean {
  const [a, b] = [given, expected].map((text) => createHmac('sha256', 'compare').update(text).digest());
  return timingSafeEqual(a!, b!);
}
