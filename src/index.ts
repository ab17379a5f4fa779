/** The public API. */

export {
  EnvironmentError,
  FaceError,
  type FaceProblem,
  InvalidOptionError,
  InvalidOptionsError,
  MediaError,
  ModelError,
  NumericalError,
  PipelineError,
  ShapeError,
  SubprocessError,
} from './errors.ts';
export { animate } from './pipeline/animate.ts';
export type {
  AnimateOptions,
  AnimateResult,
  AnimationPlan,
  DeviceName,
  Framing,
  PresetName,
  ProgressEvent,
  SamplerName,
  Stage,
  StageTimes,
} from './pipeline/animate-options.ts';
export { planAnimation } from './pipeline/plan-animation.ts';
