/** Properties are checked on the same cases in every run; the environment variable FC_SEED has others looked at. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 1) });

export { fc };
