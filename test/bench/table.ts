import { bold, dim, green, red } from '#lab/progress.js';
import type { Line, Section } from './results.js';

interface Column {
  readonly title: string;
  of(line: Line): string;
}

const COLUMNS: readonly Column[] = [
  { title: 'what', of: ({ what }) => what },
  { title: 'n', of: ({ count }) => (count === undefined ? '' : String(count)) },
  { title: 'begins at', of: ({ at }) => (at === undefined ? '' : number(at)) },
  { title: 'value', of: ({ value, unit }) => withUnit(value, unit) },
  { title: 'p95', of: ({ p95 }) => (p95 === undefined ? '' : number(p95)) },
  { title: 'p99', of: ({ p99 }) => (p99 === undefined ? '' : number(p99)) },
  { title: 'raw', of: ({ raw }) => (raw === undefined ? '' : number(raw)) },
  { title: 'ratio', of: ({ ratio }) => (ratio === undefined ? '' : ratio.toFixed(2)) },
  { title: 'difference', of: ({ difference }) => (difference === undefined ? '' : `${difference < 0 ? '' : '+'}${number(difference)}`) },
  { title: 'target', of: ({ target }) => target ?? '' },
  { title: 'met', of: ({ met }) => (met === undefined ? '' : met ? 'yes' : 'no') },
  { title: 'note', of: ({ note }) => note ?? '' },
];

/** A section as a table for the terminal; columns that nothing has are left out. */
export function terminalTable({ title, lines }: Section): string {
  const columns = usedBy(lines);
  const rows = lines.map((line) => columns.map((column) => column.of(line)));
  const widths = columns.map(({ title: head }, i) => Math.max(head.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const render = (row: readonly string[]) => row.map((cell, i) => aligned(cell, widths[i] ?? 0, columns[i]?.title)).join('  ');
  const coloured = rows.map((row, i) => paint(render(row).trimEnd(), lines[i]?.met));
  return [`\n${bold(title)}`, dim(render(columns.map(({ title: head }) => head))), ...coloured].join('\n');
}

export function markdownTable({ title, lines }: Section): string {
  const columns = usedBy(lines);
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const head = columns.map((column) => column.title);
  const body = lines.map((line) => row(columns.map((column) => column.of(line).replaceAll('|', '\\|'))));
  return [`### ${title}`, '', row(head), row(head.map(() => '---')), ...body].join('\n');
}

function usedBy(lines: readonly Line[]): Column[] {
  return COLUMNS.filter((column) => lines.some((line) => column.of(line) !== ''));
}

function aligned(cell: string, width: number, title: string | undefined): string {
  return title === 'what' || title === 'target' || title === 'met' || title === 'note' ? cell.padEnd(width) : cell.padStart(width);
}

function paint(text: string, met: boolean | undefined): string {
  if (met === undefined) return text;
  return met ? green(text) : red(text);
}

function withUnit(value: number, unit: Line['unit']): string {
  return unit === 'count' ? number(value) : `${number(value)} ${unit}`;
}

function number(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(1) : String(Math.round(value));
}
