/** `~` in arguments: no shell reads it within quotes, and not every one behind an equals sign. */
import { InvalidOptionError, InvalidOptionsError } from '../errors.ts';
import { expandHome } from '../files/home-path.ts';

/** Flags whose values are no paths, whatever they look like. */
const NO_PATHS: ReadonlySet<string> = new Set(['--token']);

/**
 * Arguments with the user's home in place of a `~` that a value begins with.
 *
 * @param home - see {@link expandHome}.
 * @throws {@link InvalidOptionsError} for homes that nobody has, and those of others.
 * @example
 * expandHomes(['--output=~/talk.mp4'], () => '/home/ada'); // ['--output=/home/ada/talk.mp4']
 */
export function expandHomes(args: readonly string[], home?: () => string): string[] {
  const errors: InvalidOptionError[] = [];
  const expanded = args.map((argument, index) => {
    const [, named, inside] = /^(--[^=]+=|-[a-z](?=~))(.*)$/s.exec(argument) ?? [];
    const value = inside ?? argument;
    const before = args[index - 1] ?? '';
    const flag = named?.replace(/=$/, '') ?? (before.startsWith('-') ? before : undefined);
    if (!value.startsWith('~') || (flag !== undefined && NO_PATHS.has(flag))) return argument;
    const { path, problem } = expandHome(value, home);
    if (problem === undefined) return named === undefined ? path : `${named}${path}`;
    const name = flag ?? value;
    errors.push(
      new InvalidOptionError(`Cannot use ${flag ? `${flag} ` : ''}${value}: ${problem}`, name, value),
    );
    return argument;
  });
  if (errors.length > 0) throw new InvalidOptionsError(errors);
  return expanded;
}
