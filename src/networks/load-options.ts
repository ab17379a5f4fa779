/** What a bundle's networks are chosen by, and loaded with. */
import type { Bundle } from '../models/bundle.ts';
import type { PrecisionChoice } from '../models/bundle-terms.ts';
import type { Engine } from '../runtime/engine.ts';
import type { LoraFile } from '../weights/lora.ts';
import type { GraphThread } from './graph-thread.ts';
import type { NetworkShelf } from './network-shelf.ts';

/** What decides which networks are loaded. */
export interface NetworksChoice {
  readonly bundle: Bundle;
  readonly windowFrames: number;
  /** Denoises windows one after another, each on all cores, also where two at the same time take less. @defaultValue false */
  readonly oneAtATime?: boolean;
  /** Whether the clip is too short to pay for starting a second denoiser; no matter where one is kept. @defaultValue false */
  readonly isShort?: boolean;
  readonly loras: readonly LoraFile[];
  /** Whether guidance needs the branch without the reference. */
  readonly guided: boolean;
  /** Guidance scale that the denoiser takes as an input; null where guidance is two evaluations. */
  readonly embeddedGuidance: number | null;
  /** `auto` is what the device is best at. */
  readonly precision: PrecisionChoice;
  /** One network at a time, and large weights in half precision. @defaultValue false */
  readonly lowMemory?: boolean;
}

/** What networks need of an engine. */
export type LoadingEngine = Pick<Engine, 'device' | 'precision' | 'load'> &
  Partial<Pick<Engine, 'threads' | 'keepsTensors' | 'loadKeeping'>>;

/** What networks are loaded with. */
export interface LoadNetworksOptions extends NetworksChoice {
  readonly graphs: Pick<GraphThread, 'build'>;
  /** Runs the denoiser only, so that nothing waits between its steps. */
  readonly denoisingEngine: LoadingEngine;
  /** Opens engines like the one that runs the denoiser, or gives those that are open; without it, that runs alone. */
  readonly furtherEngines?: ((count: number) => Promise<readonly LoadingEngine[]>) | undefined;
  /** Runs everything else. */
  readonly sideEngine: LoadingEngine;
  /** Closes networks that run once a portrait when they have: there will be no other. @defaultValue false */
  readonly forOnePortrait?: boolean | undefined;
  /** Where networks of large bundles take turns; without it, all are kept open. */
  readonly shelf?: NetworkShelf;
  /** Called with the networks that fell back from half precision to float32. */
  readonly onNotice?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}
