/** What a server tells of its work, for logs. */

/** Nothing in these comes from inside a file; names are those of the files, cut. */
export type ServeEvent =
  | { readonly type: 'listening'; readonly url: string; readonly link: string; readonly data: string }
  | {
      readonly type: 'request';
      readonly method: string;
      /** The route's pattern, never the path itself: ids are secrets. */
      readonly route: string;
      readonly status: number;
      readonly ms: number;
    }
  /** `clip` is the beginning of its id, enough to tell clips apart. */
  | { readonly type: 'clip'; readonly clip: string; readonly state: string; readonly message?: string }
  | {
      readonly type: 'comparison';
      readonly comparison: string;
      readonly state: string;
      readonly message?: string;
    }
  | { readonly type: 'notice'; readonly message: string }
  | { readonly type: 'draining'; readonly seconds: number }
  | { readonly type: 'closed' };
