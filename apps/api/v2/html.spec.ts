import { expect, test } from '@jest/globals';
import { html } from './html.js';

test('what is put into a template is escaped, in text and in attributes', () => {
  expect(html`<b title="${`"><script>alert('1')</script>`}">${'a & b'}</b>`.text).toBe(
    '<b title="&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;">a &amp; b</b>',
  );
});

test('pieces made of templates stay as they are, alone and in lists', () => {
  const cell = (text: string) => html`<td>${text}</td>`;
  expect(html`<tr>${cell('<')}${[cell('a'), cell('b')]}${3}</tr>`.text).toBe('<tr><td>&lt;</td><td>a</td><td>b</td>3</tr>');
});
