/** The public API. */

export { bundleStoreFolder, listBundles, removeBundle, type StoredBundle } from './bundles/bundle-store.ts';
export { type FuseOptions, fuseBundle } from './bundles/fuse-bundle.ts';
export {
  type ImportOptions,
  type ImportProgress,
  type ImportResult,
  importAniPortrait,
  type SamplerSettings,
} from './bundles/import-aniportrait.ts';
export { type PullOptions, type PullProgress, pullBundle } from './bundles/pull-bundle.ts';
export { bench } from './compare/bench.ts';
export type {
  BenchEvent,
  BenchNetwork,
  BenchOptions,
  BenchPrecision,
  BenchReport,
  BenchRow,
} from './compare/bench-options.ts';
export {
  type CalibrateEvent,
  type CalibrateOptions,
  type CalibrateResult,
  calibrate,
} from './compare/calibrate.ts';
export { compare } from './compare/compare.ts';
export type { CompareEvent, CompareOptions, CompareStage } from './compare/compare-options.ts';
export { profile } from './compare/profile.ts';
export type {
  EngineUse,
  NetworkOperators,
  ProfileOptions,
  ProfileReport,
} from './compare/profile-options.ts';
export type {
  CompareReport,
  Comparison,
  MouthAgreement,
  PictureAgreement,
  UnfinishedVariant,
  VariantReport,
  VariantSettings,
  Work,
} from './compare/report.ts';
export type { SweepSpec, VariantSpec } from './compare/variant-spec.ts';
export {
  EnvironmentError,
  FaceError,
  FaceLostError,
  type FaceProblem,
  InvalidOptionError,
  InvalidOptionsError,
  MediaError,
  ModelError,
  MotionFileError,
  type MotionFileProblem,
  NumericalError,
  PipelineError,
  ShapeError,
  SubprocessError,
  type TimeSpan,
} from './errors.ts';
export type { SeenFace } from './face/portrait-face.ts';
export type {
  BatchEvent,
  BatchReport,
  BatchState,
  FailedAttempt,
  JobCounts,
  JobReport,
  JobState,
} from './jobs/batch-events.ts';
export type { RunBatchOptions } from './jobs/batch-options.ts';
export type { FailureKind, JobFailure } from './jobs/job-failure.ts';
export {
  type BatchManifest,
  type JobSpec,
  ManifestError,
  type ManifestProblem,
} from './jobs/manifest-schema.ts';
export { type BatchPlan, type PlanBatchOptions, type PlannedJob, planBatch } from './jobs/plan-batch.ts';
export { animateResumable, type ResumableOptions, type ResumableResult } from './jobs/render-resumable.ts';
export type { BatchRun } from './jobs/run-batch.ts';
export { runBatch, runWorker } from './jobs/start-batch.ts';
export type { RunWorkerOptions, WorkerEvent } from './jobs/worker-options.ts';
export { type Bundle, openBundle, type VerifyOptions, verifyBundle } from './models/bundle.ts';
export type { MeshSequence } from './motion/mesh-sequence.ts';
export { readMotionFile, writeMotionFile } from './motion/motion-file.ts';
export type { MotionOrigin, RecordedMotion, RestingFace } from './motion/recorded-motion.ts';
export { animate } from './pipeline/animate.ts';
export type {
  AnimateOptions,
  AnimateResult,
  AnimationPlan,
  DeviceName,
  Framing,
  PrecisionChoice,
  PresetName,
  ProgressEvent,
  RenderingProgress,
  SamplerName,
  Stage,
  StageTimes,
  TrackingProgress,
  WindowLayout,
} from './pipeline/animate-options.ts';
export {
  convertMotion,
  type ExtractMotionOptions,
  extractMotion,
  type MotionOutputOptions,
  showMotion,
} from './pipeline/motion-tools.ts';
export { planAnimation } from './pipeline/plan-animation.ts';
