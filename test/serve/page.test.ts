/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** The page in Chromium, against a server whose clips are drawn. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launchBrowser, openContext } from '../helpers/browser.ts';
import { freePort } from '../helpers/free-port.ts';
import { noChromium } from '../helpers/requirements.ts';
import { jsonOf, PORTRAIT, ServerProcess, SPEECH, temporaryFolder } from './server-process.ts';

/** Where pictures of the page go, for who wants to look at them. */
const SHOTS = process.env.PAGE_SHOTS;

/** While it is there, clips and comparisons of the server do not end, however slow the browser is. */
const holdFile = path.join(temporaryFolder(), 'hold');
const hold = (): void => writeFileSync(holdFile, '');
const release = (): void => rmSync(holdFile, { force: true });
const server = noChromium
  ? undefined!
  : await ServerProcess.start(temporaryFolder(), { frames: 75, stepMs: 10, holdFile });
let browser: Browser;
before(async () => {
  if (noChromium) return;
  browser = await launchBrowser(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']);
});
// A test that fails may have left it.
afterEach(release);
after(() => browser?.close());

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } as const;

async function openPage(
  options: BrowserContextOptions = {},
  url = server.url,
): Promise<{ page: Page; problems: string[] }> {
  const context = await openContext(browser, { viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    // What a look at an incomplete order is answered with is no mistake of the page.
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) problems.push(message.text());
  });
  await page.goto(url);
  await page.locator('#portrait-samples button').first().waitFor();
  return { page, problems };
}

async function shoot(page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });
}

const stateOf = (page: Page, state: string) => page.locator(`.clip[data-state="${state}"]`);

test('a clip is ordered, watched while it is rendered, and done', { skip: noChromium }, async () => {
  const { page, problems } = await openPage();
  await page.setInputFiles('#portrait-file', PORTRAIT);
  await page.setInputFiles('#audio-file', SPEECH);
  await page.getByText('about 7 s').waitFor();
  assert.ok(await page.locator('#faces .face.taken').isVisible());
  assert.equal(await page.locator('#notes li').first().textContent(), 'ada.jpg is larger than needed');
  await shoot(page, 'chosen');
  hold();
  await page.click('#render');
  const live = page.locator('.clip video[data-kind="live"]').first();
  await live.waitFor();
  // Plays before the clip has ended.
  const at = await page.waitForFunction(() => {
    const video = document.querySelector<HTMLVideoElement>('video[data-kind="live"]');
    const card = document.querySelector<HTMLElement>('.clip');
    return video && video.currentTime > 0.2 && card?.dataset.state === 'processing' ? video.currentTime : 0;
  });
  assert.ok((await at.jsonValue())! > 0.2);
  await shoot(page, 'live');
  release();
  await stateOf(page, 'succeeded').first().waitFor();
  const video = page.locator('.clip video[data-kind="video"]').first();
  await page.waitForFunction(
    () => (document.querySelector('video[data-kind="video"]') as HTMLVideoElement)?.duration > 2.9,
  );
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: /^Download/ }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'ada · short.mp4');
  const saved = readFileSync(await download.path());
  const { clips } = await server.json('/v1/clips');
  assert.equal(saved.length, clips[0].result.bytes);
  assert.ok(await video.isVisible());
  await shoot(page, 'done');
  assert.deepEqual(problems, []);
  await page.context().close();
});

test('a clip goes on when the page is loaded again, and can be cancelled', { skip: noChromium }, async () => {
  const { page, problems } = await openPage();
  await page.locator('#portrait-samples button').nth(1).click();
  await page.click('#audio-sample');
  hold();
  await page.click('#render');
  const running = page.locator('.clip[data-state="processing"]');
  await running.waitFor();
  const id = await running.getAttribute('data-id');
  await page.reload();
  const again = page.locator(`.clip[data-id="${id}"]`);
  await again.waitFor();
  await again.getByRole('button', { name: /^Cancel/ }).click();
  await page.locator(`.clip[data-id="${id}"][data-state="canceled"]`).waitFor();
  assert.equal((await server.json(`/v1/clips/${id}`)).state, 'canceled');
  release();
  await again.getByRole('button', { name: /^Re-run/ }).click();
  assert.equal(await page.locator('#portrait-shown').getAttribute('alt'), 'ben.jpg');
  await again.getByRole('button', { name: /^Remove/ }).click();
  await again.waitFor({ state: 'detached' });
  assert.deepEqual(problems, []);
  await page.context().close();
});

test('the keyboard is enough', { skip: noChromium }, async () => {
  const { page } = await openPage();
  const press = async (name: RegExp | string, key = 'Enter') => {
    // From the beginning: whatever is wanted can be reached by Tab.
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    for (let i = 0; i < 200; i++) {
      await page.keyboard.press('Tab');
      const label = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        return element.getAttribute('aria-label') ?? element.textContent ?? '';
      });
      if (typeof name === 'string' ? label.trim() === name : name.test(label)) {
        await page.keyboard.press(key);
        return;
      }
    }
    assert.fail(`Tab does not reach ${name}`);
  };
  await press('Sample portrait cleo');
  await press('Sample speech');
  await press('Options');
  await page.locator('#option-style').waitFor();
  const before = (await server.json('/v1/clips')).clips.length;
  hold();
  await press('Render');
  await page.waitForFunction((count) => document.querySelectorAll('.clip').length > count, before);
  // A press that begins while the clip waits, and ends when it renders, counts: the button stays the same.
  const cancel = page
    .locator('.clip')
    .first()
    .getByRole('button', { name: /^Cancel/ });
  const pressed = await cancel.elementHandle();
  await stateOf(page, 'processing').first().waitFor();
  assert.ok(await pressed?.evaluate((button) => button.isConnected));
  await press(/^Cancel/, 'Space');
  await stateOf(page, 'canceled').first().waitFor();
  await press('Compare fast with original');
  await page.locator('#compared article').first().waitFor();
  await press(/^Cancel the comparison/, 'Space');
  await page.locator('#compared [data-state="canceled"]').first().waitFor();
  release();
  await press(/^Remove the comparison/);
  await page.locator('#compared article').waitFor({ state: 'detached' });
  await page.context().close();
});

test('whatever state a clip is in, it is in it after a reload, and after a restart of the server', {
  skip: noChromium,
}, async () => {
  const data = temporaryFolder();
  const port = await freePort();
  const own = await ServerProcess.start(data, { frames: 30, stepMs: 60, port });
  const ids = new Map<string, string>();
  for (const [state, seed] of [
    ['succeeded', 1],
    ['failed', 13],
    ['canceled', 2],
    ['processing', 3],
    ['queued', 4],
  ] as const) {
    const { id } = await own.order({ seed });
    ids.set(state, id);
    if (state === 'canceled') await own.fetch(`/v1/clips/${id}`, { method: 'DELETE' });
    else if (state !== 'queued') await own.until(id, state);
  }
  const { page } = await openPage({}, own.url);
  const card = (state: string) => page.locator(`[data-id="${ids.get(state)}"]`);
  for (let load = 0; load < 2; load++) {
    for (const state of ['succeeded', 'failed', 'canceled'])
      await page.locator(`[data-id="${ids.get(state)}"][data-state="${state}"]`).waitFor();
    await card('queued').waitFor();
    if (load === 0) await page.reload();
  }
  assert.equal(await card('failed').locator('.facts').textContent(), 'Cannot animate it: expected a face');
  await shoot(page, 'states');
  await own.end('SIGKILL');
  await page.getByText('The server is not responding.').waitFor();
  await shoot(page, 'away');
  const again = await ServerProcess.start(data, { frames: 30, stepMs: 30, port });
  // Nobody touches the page: it finds the server again, and the clips go on.
  await page.locator(`[data-id="${ids.get('queued')}"][data-state="succeeded"]`).waitFor();
  await page.locator('#away').waitFor({ state: 'hidden' });
  await page.context().close();
  await again.end('SIGKILL');
});

test('on a phone nothing is wider than the screen, and light and dark can be read', {
  skip: noChromium,
}, async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await openPage({ ...PHONE, colorScheme });
    await page.locator('#portrait-samples button').first().click();
    await page.click('#audio-sample');
    await page.getByText('about 7 s').waitFor();
    await page.locator('#more > summary').click();
    const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.equal(wide, screen);
    // Fingers need room: 24 px at least, WCAG 2.2, 2.5.8.
    const small = await page.$$eval(
      'button, .button, select, summary',
      (all) =>
        all
          .map((each) => each.getBoundingClientRect())
          .filter(({ height, width }) => width > 0 && height < 24).length,
    );
    assert.equal(small, 0);
    assert.ok((await contrastOf(page)) >= 4.5, colorScheme);
    await shoot(page, `phone-${colorScheme}`);
    await page.context().close();
  }
  const { page } = await openPage({ colorScheme: 'dark' });
  await shoot(page, 'desktop-dark');
  await page.context().close();
});

test('takes are recorded with the microphone', { skip: noChromium }, async () => {
  const { page, problems } = await openPage({ permissions: ['microphone'] });
  // Recordings come in small pieces, so that there is something in each take, however slow the browser is.
  await page.evaluate(() => {
    const { start } = MediaRecorder.prototype;
    MediaRecorder.prototype.start = function () {
      document.body.dataset.pieces = '0';
      this.addEventListener('dataavailable', ({ data }) => {
        if (data.size > 0) document.body.dataset.pieces += '0';
      });
      start.call(this, 50);
    };
  });
  for (const take of ['Take 1', 'Take 2']) {
    await page.click('#record');
    await page.getByRole('button', { name: 'Stop' }).waitFor();
    await page.waitForFunction(() => document.body.dataset.pieces!.length > 8);
    await page.click('#record');
    await page.getByRole('radio', { name: take }).waitFor();
  }
  await page.locator('#portrait-samples button').first().click();
  await page.getByText('about 7 s').waitFor();
  await shoot(page, 'takes');
  assert.deepEqual(problems, []);
  await page.context().close();
});

test('what is wrong is said next to its field', { skip: noChromium }, async () => {
  const { page } = await openPage();
  await page.setInputFiles('#portrait-file', {
    name: 'notes.txt',
    mimeType: 'image/png',
    buffer: Buffer.from('no picture'),
  });
  await page.locator('[data-field="portrait"] .problem', { hasText: 'got a file of no such kind' }).waitFor();
  await page.click('#render');
  await page
    .locator('[data-field="audio"] .problem, [data-field="portrait"] .problem', {
      hasText: 'Choose or record the speech first.',
    })
    .first()
    .waitFor();
  await shoot(page, 'wrong');
  await page.context().close();
});

test('two results are shown side by side', { skip: noChromium }, async () => {
  const ids = [];
  for (const seed of [1, 2]) {
    const response = await server.post('/v1/clips', {
      portrait: 'sample:ada.jpg',
      audio: 'sample:short.wav',
      seed,
    });
    ids.push((await jsonOf(response)).id);
  }
  for (const id of ids) await server.until(id, 'succeeded');
  const { page } = await openPage();
  for (const id of ids)
    await page
      .locator(`[data-id="${id}"]`)
      .getByRole('button', { name: /^Select for side by side/ })
      .click();
  await page.click('#side-by-side');
  await page.click('#pair-play');
  await page.waitForFunction(() =>
    [...document.querySelectorAll<HTMLVideoElement>('#pair video')].every((video) => video.currentTime > 0.1),
  );
  await shoot(page, 'pair');
  await page.context().close();
});

test('a face of several is chosen by a click or the keyboard, and is in the order', {
  skip: noChromium,
}, async () => {
  const { page, problems } = await openPage();
  // The server's answer comes before the picture.
  const planned = page.waitForResponse((response) => response.url().endsWith('/v1/plan'));
  await page.route(/ben\.jpg\?late$/, async (route) => {
    await (await planned).finished();
    await route.continue();
  });
  await page.evaluate(() => {
    const picture = document.querySelector<HTMLImageElement>('#portrait-shown')!;
    new MutationObserver((_, observer) => {
      observer.disconnect();
      picture.src += '?late';
    }).observe(picture, { attributeFilter: ['src'] });
  });
  await page.locator('#portrait-samples button').nth(1).click();
  const face = (number: number) => page.locator(`#faces [data-face="${number}"]`);
  await face(2).waitFor();
  const pressed = (number: number) => face(number).getAttribute('aria-pressed');
  assert.deepEqual([await pressed(1), await pressed(2)], ['false', 'true']); // the largest
  assert.ok(await face(3).isDisabled());
  assert.equal(await face(3).getAttribute('aria-label'), 'Face 3 of 3, turned away too far');
  await page.getByText('3 faces found; face 2 will speak').waitFor();
  await shoot(page, 'faces');
  // By the keyboard, and the focus stays where it was when the picture has been looked at again.
  await face(1).focus();
  await page.keyboard.press('Enter');
  await page.getByText('3 faces found; face 1 will speak').waitFor();
  assert.equal(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.face), '1');
  await page.click('#audio-sample');
  await page.getByText('about 7 s').waitFor();
  await Promise.all([
    page.waitForResponse((response) => response.url().endsWith('/v1/clips') && response.status() === 202),
    page.click('#render'),
  ]);
  const { clips } = await server.json('/v1/clips?limit=1');
  assert.equal(clips[0].options.face, 1);
  // Of another picture it is another face.
  await page.locator('#portrait-samples button').first().click();
  await page.locator('#faces div.face').waitFor();
  assert.equal(await page.inputValue('#option-face'), '');
  await server.fetch(`/v1/clips/${clips[0].id}`, { method: 'DELETE' });
  assert.deepEqual(problems, []);
  await page.context().close();
});

test('a clip is written as what was chosen, shown as browsers can, and removed in every tab', {
  skip: noChromium,
}, async () => {
  const { page, problems } = await openPage();
  await page.locator('#portrait-samples button').first().click();
  await page.click('#audio-sample');
  await page.selectOption('#format', 'gif');
  hold();
  await page.click('#render');
  await page.locator('#gallery [data-state="processing"]').first().waitFor();
  const [clip] = (await server.json('/v1/clips?limit=1')).clips;
  assert.equal(clip.format, 'gif');
  const other = await page.context().newPage();
  await other.goto(server.url);
  await other.locator(`[data-id="${clip.id}"] video[data-kind="live"]`).waitFor();
  release();
  const card = page.locator(`[data-id="${clip.id}"]`);
  await card.locator('img[data-kind="picture"]').waitFor();
  assert.ok(
    await card.locator('img').evaluate(async (image: HTMLImageElement) => {
      await image.decode();
      return image.naturalWidth > 0;
    }),
  );
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    card.getByRole('link', { name: /^Download/ }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'ada · welcome.gif');
  await card.getByRole('button', { name: /^Remove/ }).click();
  await other.evaluate(() => document.dispatchEvent(new Event('visibilitychange'))); // as when it is looked at
  await other.locator(`[data-id="${clip.id}"]`).waitFor({ state: 'detached' });

  await page.selectOption('#format', 'webm:transparent');
  await page.locator('#more > summary').click();
  await page.getByText('Picture and video').click();
  await page.selectOption('#option-background', 'green'); // a comparison is never transparent
  await page.click('#compare');
  const compared = page.locator('#compared article').first();
  await compared.waitFor();
  const [comparison] = (await server.json('/v1/comparisons?limit=1')).comparisons;
  assert.deepEqual(comparison.options, {
    ...{ portrait: 'sample:ada.jpg', audio: 'sample:welcome.wav', background: 'green', repeats: 1 },
  });
  assert.deepEqual(problems, []);
  await page.context().close();
});

test('a comparison is ordered, followed and read, with all that its report shows', {
  skip: noChromium,
}, async () => {
  const { page, problems } = await openPage();
  await page.locator('#portrait-samples button').first().click();
  await page.click('#audio-sample');
  hold();
  await page.click('#compare');
  await page.locator('#compared [data-state="processing"]').first().waitFor();
  release();
  await page.reload();
  const card = page.locator('#compared [data-state="succeeded"]').first();
  await card.waitFor();
  await card.locator('video').waitFor();
  await page.locator('#comparisons').scrollIntoViewIfNeeded();
  await shoot(page, 'compared');
  await card.getByRole('link', { name: /^Report/ }).click();
  await page.locator('h1').waitFor();
  await page.click('#play');
  await page.waitForFunction(() =>
    [...document.querySelectorAll('video')].every((video) => video.currentTime > 0.1),
  );
  // The bars have the widths that the policy would not let a style give them, in the colours of the style sheet.
  const bars = await page.$$eval('svg.bar rect', (all) =>
    all.map((rect) => ({ width: rect.getBoundingClientRect().width, fill: getComputedStyle(rect).fill })),
  );
  assert.ok(Math.max(...bars.map(({ width }) => width)) > 200);
  assert.ok(new Set(bars.map(({ fill }) => fill)).size > 4);
  await shoot(page, 'report');
  const where = page.url();
  assert.deepEqual(problems, []);
  await page.context().close();
  for (const colorScheme of ['light', 'dark'] as const) {
    const phone = await openPage({ ...PHONE, colorScheme });
    await phone.page.locator('#compared video').first().waitFor();
    await phone.page.locator('#comparisons').scrollIntoViewIfNeeded();
    const widths = await phone.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.equal(widths[0], widths[1]);
    await shoot(phone.page, `compared-phone-${colorScheme}`);
    await phone.page.goto(where);
    await phone.page.locator('svg.bar').first().waitFor();
    const [wide, screen] = await phone.page.evaluate(() => [
      document.documentElement.scrollWidth,
      innerWidth,
    ]);
    assert.equal(wide, screen);
    await shoot(phone.page, `report-phone-${colorScheme}`);
    assert.deepEqual(phone.problems, []);
    await phone.page.context().close();
  }
});

test('a server with a token opens by its link, and says so without', { skip: noChromium }, async () => {
  const locked = await ServerProcess.start(temporaryFolder(), { token: 'a token of this test' });
  const context = await openContext(browser);
  const page = await context.newPage();
  await page.goto(locked.url);
  await page.locator('#locked').waitFor();
  assert.ok(await page.locator('#order').isHidden());
  await page.fill('#token', 'not the token');
  await page.keyboard.press('Enter');
  await page.getByText('This is not the token of this server.').waitFor();
  await page.fill('#token', 'a token of this test');
  await page.keyboard.press('Enter');
  await page.locator('#portrait-samples button').first().waitFor();
  assert.equal(page.url(), `${locked.url}/`);
  await context.close();
  await locked.end('SIGKILL');
});

/** The least contrast between text and its background, of the colours that the page has. Source: WCAG 2.2, 1.4.3. */
async function contrastOf(page: Page): Promise<number> {
  const names = ['--text', '--faint', '--bad', '--warning', '--accent', '--back', '--card'];
  const colours = await page.evaluate((all) => {
    const style = getComputedStyle(document.documentElement);
    return all.map((name) => style.getPropertyValue(name).trim());
  }, names);
  const luminances = colours.map((colour) => {
    const digits = colour.length === 4 ? colour.replace(/[0-9a-f]/gi, '$&$&') : colour;
    return [1, 3, 5]
      .map((at) => Number.parseInt(digits.slice(at, at + 2), 16) / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i]!, 0);
  });
  const backs = luminances.splice(-2);
  const contrasts = luminances.flatMap((text) =>
    backs.map((back) => (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05)),
  );
  return Math.min(...contrasts);
}
