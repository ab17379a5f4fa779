import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataUrl, escapeHtml, tableMarkup } from '../../src/html/markup.ts';
import { renderPage } from '../../src/html/page.ts';

test('text stays text between tags and in attributes', () => {
  assert.equal(escapeHtml(`<b class="x">&'</b>`), '&lt;b class=&quot;x&quot;&gt;&amp;&#39;&lt;/b&gt;');
});

test('a page has its title, its rules after those of all pages, and a script only where it needs one', () => {
  const page = renderPage({ title: 'a < b', style: '.own {}', body: '<h1>x</h1>' });
  assert.match(page, /^<!doctype html>\n<html lang="en">/);
  assert.match(page, /<title>a &lt; b<\/title>/);
  assert.match(page, /--accent[\s\S]*\.own \{\}<\/style>/);
  assert.match(page, /<main>\n<h1>x<\/h1>\n<\/main>/);
  assert.ok(!page.includes('<script'));
  assert.match(
    renderPage({ title: '', style: '', body: '', script: 'go()' }),
    /<script>go\(\)<\/script>\n<\/body>/,
  );
});

test("a table's first column names its rows, and each cell its column", () => {
  assert.equal(
    tableMarkup(['', 'a <small>"b"</small>'], [['<i>x</i>', '1']]),
    '<div class="scroll"><table class="figures"><thead><tr><th scope="col"></th><th scope="col">a <small>"b"</small></th></tr></thead>' +
      '<tbody><tr><th scope="row" data-label=""><i>x</i></th><td data-label="a &quot;b&quot;">1</td></tr></tbody></table></div>',
  );
});

test('a data URL holds the bytes of the part that it is given', () => {
  const part = Uint8Array.of(9, 1, 2, 3).subarray(1);
  assert.equal(dataUrl('image/jpeg', part), 'data:image/jpeg;base64,AQID');
});
