/**
 * The options of a clip: each is described here, and nowhere else. From this table follow the type that callers see, the
 * checks and their messages, the flags of the command line and their help, the keys of manifests with their JSON Schema, the
 * settings of a comparison's variants, what travels through a queue, and what tells clips apart.
 */
import { EXPRESSION_OPTIONS } from './expression-options.ts';
import { NETWORK_OPTIONS } from './network-options.ts';
import { RUN_OPTIONS } from './run-options.ts';
import { SOURCE_OPTIONS } from './source-options.ts';
import { VIDEO_OPTIONS } from './video-options.ts';

/** The parts of the table, as help calls them. */
export const OPTION_SUBJECTS = {
  'Inputs and driving': SOURCE_OPTIONS,
  'Picture and output': VIDEO_OPTIONS,
  'Networks and sampling': NETWORK_OPTIONS,
  'Motion and expression': EXPRESSION_OPTIONS,
  Running: RUN_OPTIONS,
};

/** Every option by name, in the order of help and messages. */
export const CLIP_OPTIONS = {
  ...SOURCE_OPTIONS,
  ...VIDEO_OPTIONS,
  ...NETWORK_OPTIONS,
  ...EXPRESSION_OPTIONS,
  ...RUN_OPTIONS,
};
