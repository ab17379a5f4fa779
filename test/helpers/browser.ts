/** Chromium for tests that look at pages. */
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';
import { CHROMIUM } from './requirements.ts';

/**
 * Milliseconds that anything in a browser may take: less than a test's limit of ten minutes, so that the error names what was
 * waited for, and otherwise as long, as a machine may be busy.
 */
const PATIENCE = 540_000;

export function launchBrowser(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', ...args], timeout: PATIENCE });
}

/** A window with its own storage; all its pages have {@link PATIENCE}. */
export async function openContext(
  browser: Browser,
  options?: BrowserContextOptions,
): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  return context;
}
