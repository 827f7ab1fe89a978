import type { OctolxdConfig } from '#libs/config/octolxd.js';
import { escaped, pageOf } from './html.js';

/** What this server is, for somebody who opens its address. */
export function frontPage({ publicUrl, allow, allowAny }: Pick<OctolxdConfig, 'publicUrl' | 'allow' | 'allowAny'>): string {
  const base = publicUrl.replace(/\/+$/, '');
  const which = allowAny
    ? '<p>It serves every repository of GitHub.</p>'
    : `<p>It serves:</p>\n<ul>${allow.map((entry) => `<li>${entryOf(entry, base)}</li>`).join('')}</ul>`;
  return pageOf(
    'Image server',
    `<h1>Image server</h1>
<p>Releases of GitHub repositories as images for LXD and Incus. A repository's page lists what it offers.</p>
<pre>lxc remote add &lt;name&gt; ${escaped(base)}/&lt;owner&gt;/&lt;repository&gt; --protocol simplestreams</pre>
${which}`,
  );
}

function entryOf(entry: string, base: string): string {
  const text = escaped(entry);
  return entry.includes('/') ? `<a href="${escaped(`${base}/${entry}`)}">${text}</a>` : `${text}/…`;
}
