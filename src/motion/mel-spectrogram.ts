/** Constants that turn samples into a mel spectrogram by one convolution and one matrix product. */
import type { MotionConfig } from './motion-config.ts';

/** Bands are at least this many bins wide on either side, so that none is empty. */
const LEAST_WIDTH = 1.05;

function hzToMel(hz: number): number {
  return 2595 * Math.log10(1 + hz / 700);
}

function melToHz(mel: number): number {
  return 700 * (10 ** (mel / 2595) - 1);
}

/** Frequencies from zero to half the sample rate that the Fourier transform has. */
export function frequencyBins({ fftSize }: MotionConfig): number {
  return fftSize / 2 + 1;
}

/** `[2 · bins, 1, window]`: cosines, then sines, under a Hann window that is symmetric about the middle. */
export function fourierKernels(config: MotionConfig): Float32Array {
  const { window, fftSize } = config;
  const bins = frequencyBins(config);
  const kernels = new Float32Array(2 * bins * window);
  for (let n = 0; n < window; n++) {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * (n + 0.5)) / window);
    for (let bin = 0; bin < bins; bin++) {
      const angle = (2 * Math.PI * ((bin * n) % fftSize)) / fftSize;
      kernels[bin * window + n] = Math.cos(angle) * hann;
      kernels[(bins + bin) * window + n] = Math.sin(angle) * hann;
    }
  }
  return kernels;
}

/**
 * `[bands, bins]`: triangles that are evenly spaced on the mel scale; the weights of each add up to 1.
 *
 * Source: mel = 2595 · log10(1 + f/700).
 */
export function melFilters(config: MotionConfig): Float32Array {
  const { melBands, melLow, melHigh, sampleRate, fftSize } = config;
  const bins = frequencyBins(config);
  const binWidth = sampleRate / fftSize;
  const from = hzToMel(melLow);
  const step = (hzToMel(melHigh) - from) / (melBands + 1);
  const filters = new Float32Array(melBands * bins);
  for (let band = 0; band < melBands; band++) {
    const middle = melToHz(from + (band + 1) * step);
    const low = Math.min(melToHz(from + band * step), middle - LEAST_WIDTH * binWidth);
    const high = Math.max(melToHz(from + (band + 2) * step), middle + LEAST_WIDTH * binWidth);
    const row = filters.subarray(band * bins, (band + 1) * bins);
    let sum = 0;
    for (let bin = 0; bin < bins; bin++) {
      const frequency = bin * binWidth;
      const weight = Math.max(
        0,
        Math.min((frequency - low) / (middle - low), (high - frequency) / (high - middle)),
      );
      row[bin] = weight;
      sum += weight;
    }
    for (let bin = 0; bin < bins; bin++) row[bin]! /= sum;
  }
  return filters;
}
