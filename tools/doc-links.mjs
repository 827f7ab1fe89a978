import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Links of our Markdown files to files and headings of the tree that do not exist, as `file: link`. */
export function brokenLinks() {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { encoding: 'utf8' })
    .trim()
    .split('\n');
  return files.filter(existsSync).flatMap((file) => {
    const text = readFileSync(file, 'utf8').replace(/```[\s\S]*?```/g, '');
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]);
    return links.filter((link) => !/^[a-z]+:/.test(link) && !exists(file, link)).map((link) => `${file}: ${link}`);
  });
}

function exists(from, link) {
  const [path, heading] = link.split('#');
  const target = path === '' ? from : normalize(join(dirname(from), path));
  if (!existsSync(target)) return false;
  return heading === undefined || headingsOf(target).has(heading);
}

function headingsOf(file) {
  const slug = (text) =>
    text
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s-]/gu, '')
      .replace(/\s/g, '-');
  return new Set([...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map((match) => slug(match[1])));
}
