/** Lists of weight names that people can read: names that differ in numbers only are one. */

/**
 * Names in the order of their first, with `*` for the numbers that differ.
 *
 * @example
 * summariseKeys(['a.0.w.1', 'a.1.w.1', 'b']); // ['a.*.w.1 (2)', 'b']
 */
export function summariseKeys(keys: readonly string[]): string[] {
  const groups = new Map<string, string[][]>();
  for (const key of keys) {
    const parts = key.split('.');
    const pattern = parts.map((part) => (isNumber(part) ? '*' : part)).join('.');
    const group = groups.get(pattern);
    if (group === undefined) groups.set(pattern, [parts]);
    else group.push(parts);
  }
  return [...groups.values()].map((group) => {
    const [first] = group;
    const name = first!.map((part, i) => (group.every((parts) => parts[i] === part) ? part : '*')).join('.');
    return group.length === 1 ? name : `${name} (${group.length})`;
  });
}

function isNumber(part: string): boolean {
  return /^\d+$/.test(part);
}
