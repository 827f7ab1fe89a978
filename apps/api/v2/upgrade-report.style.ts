import { html } from './html.js';

/** Of the report's page: readable in a browser, in a mail, on paper. */
export const REPORT_STYLE = html`<style>
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1c1f24; background: #fff; max-width: 76rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; margin: 0 0 .8rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #d5d9e0; padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #e6e9ee; overflow-wrap: anywhere; }
thead th { background: #f3f5f8; white-space: nowrap; }
.facts th { width: 11rem; font-weight: 600; color: #4a5160; }
.banner { padding: .7rem 1rem; border-left: 5px solid; border-radius: 3px; }
.good { border-color: #1e8e4e; background: #e9f7ef; }
.bad { border-color: #c02b2b; background: #fdecec; }
.open { border-color: #b7791f; background: #fdf6e3; }
.dim { color: #646c7a; font-size: .92em; }
.time { white-space: nowrap; }
.state { font-weight: 600; white-space: nowrap; }
.audit td { white-space: nowrap; }
.audit td:last-child { white-space: normal; }
.members { table-layout: fixed; }
.members th { white-space: normal; }
.members th:nth-child(1) { width: 12%; }
.members th:nth-child(3) { width: 34%; }
.members th:nth-child(4) { width: 13%; }
.steps th:nth-child(1) { width: 6.5rem; }
.steps th:nth-child(2) { width: 44%; }
.steps th:nth-child(3) { width: 10rem; }
tr.running td { background: #fdf6e3; }
tr.failed td { background: #fdecec; }
tr.failed .state { color: #c02b2b; }
tr.skipped .state { color: #9a6200; }
tr.done .state { color: #1e8e4e; }
tr.planned, tr.not-needed { color: #646c7a; }
@media print {
  body { margin: 0; max-width: none; font-size: 11px; }
  tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  .banner, thead th { print-color-adjust: exact; }
}
</style>`;
