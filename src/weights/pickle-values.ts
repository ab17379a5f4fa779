/** Values of a pickle that have no like in JavaScript. */

/** A tuple, which has a part of its own in calls and identities. */
export class PickleTuple {
  readonly items: readonly unknown[];

  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** A name of Python's, as inert text. */
export class PickleGlobal {
  /** Module and name, e.g. `collections.OrderedDict`. */
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** An object of a class that is not known here: never built, only what the pickle says about it. */
export class PickleObject {
  /** Class or function that would have made it, e.g. `argparse.Namespace`. */
  readonly name: string;
  /** Its attributes, if it has any. */
  state: unknown;
  /** What was put into it, where it is a kind of dictionary. */
  readonly items = new Map<unknown, unknown>();

  constructor(name: string) {
    this.name = name;
  }
}
