/** Finds the name that a misspelt one was probably meant to be. */

/**
 * The member of `names` nearest to `word` in edits, or undefined when none is near.
 *
 * @example
 * closestName('--stps', ['--seed', '--steps']); // '--steps'
 */
export function closestName(word: string, names: Iterable<string>): string | undefined {
  let closest: string | undefined;
  // More than a third of the letters wrong is another word, not a slip.
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const edits = editDistance(word.toLowerCase(), name.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      closest = name;
    }
  }
  return closest;
}

/** Levenshtein distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substituted = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
