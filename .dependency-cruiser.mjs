// Direction of imports: contracts ← errors, domain ← libs ← activities ← apps; workflows see contracts and each other only.
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
// Specs, doubles, and the contract suites that run against double and real thing alike.
const TESTS = '\\.spec\\.ts$|/testing/|contract(-|\\.|/)';
const notType = { dependencyTypesNot: ['type-only'] };

export default {
  forbidden: [
    rule('no-cycles', 'A cycle hides which part knows which.', {}, { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }),
    rule(
      'contracts-are-pure',
      'Contracts import nothing of ours.',
      { path: '^libs/contracts/', pathNot: '^libs/contracts/(scalings|upgrade(s|-activities))\\.ts$' },
      { path: '^(apps|activities|workflows|lab|libs/(?!contracts/))' },
    ),
    rule(
      'contract-of-upgrades-carries-plans',
      'Plans go through Temporal as they are: the contracts of upgrades and scalings have their types, and nothing else of the domain.',
      { path: '^libs/contracts/(scalings|upgrade(s|-activities))\\.ts$' },
      { path: '^(apps|activities|workflows|lab|libs/(?!contracts/|domain/(upgrade|scale)/))' },
    ),
    rule(
      'contract-of-upgrades-runs-nothing',
      'Only types of them.',
      { path: '^libs/contracts/(scalings|upgrade(s|-activities))\\.ts$' },
      { path: '^libs/domain/', ...notType },
    ),
    rule(
      'errors-see-contracts',
      'Errors know the codes and nothing else.',
      { path: '^libs/errors/' },
      { path: '^(apps|activities|workflows|lab|libs/(?!contracts/|errors/))' },
    ),
    rule(
      'domain-is-pure',
      'Decisions do no I/O.',
      { path: '^libs/domain/', pathNot: '\\.spec\\.ts$' },
      { path: '^(apps|activities|workflows|lab|libs/(?!contracts/|errors/|domain/))|^(node:)?(fs|net|http|https|child_process)$' },
    ),
    rule(
      'libs-do-not-look-up',
      'A library knows no activity, workflow or app.',
      { path: '^libs/', pathNot: '\\.spec\\.ts$|^libs/testing/' },
      { path: '^(apps|activities|workflows|lab|test)/' },
    ),
    rule(
      'workflows-are-deterministic',
      'Workflows import contracts and each other.',
      { path: '^workflows/', pathNot: '\\.spec\\.ts$' },
      { path: '^(apps|activities|lab|test|libs/(?!contracts/))', ...notType },
    ),
    rule(
      'activities-know-no-app',
      'Activities are assembled by apps.',
      { path: '^activities/', pathNot: '\\.spec\\.ts$' },
      { path: '^(apps|workflows|lab|test)/' },
    ),
    rule(
      'apps-start-workflows-by-name',
      'An API that imports a workflow drags the sandbox along.',
      { path: '^apps/', pathNot: '\\.spec\\.ts$' },
      { path: '^workflows/' },
    ),
    rule(
      'apps-are-separate',
      'Two processes share libraries, not each other.',
      { path: '^apps/([^/]+)/' },
      { path: '^apps/', pathNot: '^apps/$1/' },
    ),
    rule(
      'product-knows-no-lab',
      'What ships does not know the lab or the tests.',
      { path: '^(apps|activities|workflows|libs)/', pathNot: '\\.spec\\.ts$' },
      { path: '^(lab|test|libs/testing)/', pathNot: '^libs/testing/.*' },
    ),
    rule(
      'doubles-are-for-tests',
      'Doubles stay out of what ships.',
      { path: '^(apps|activities|workflows|libs/(?!testing/))', pathNot: TESTS },
      { path: '^libs/testing/' },
    ),
    rule(
      'declared-dependencies',
      'Only what package.json names.',
      { path: '^(apps|activities|workflows|libs)/', pathNot: TESTS },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['source', 'import', 'node', 'default', 'types'] },
  },
};
