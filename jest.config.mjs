// One configuration; `npm run jest -- <pattern>` for a part. *.spec.ts stand beside the code, whole-system tests in test/ are *.e2e.ts.
const leafEsm = 'node_modules/(?:.*/)?(?:cookie|content-disposition)/';
export default {
  testEnvironment: 'node',
  globals: { writeGolden: process.env.WEBSPACES_WRITE_GOLDEN === '1' },
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  testMatch:
    process.env.WEBSPACES_SUITE === 'e2e'
      ? ['<rootDir>/test/**/*.e2e.ts']
      : ['<rootDir>/{apps,workflows,activities,libs,lab,test,tools}/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': ['@swc/jest'],
    [leafEsm]: ['@swc/jest', { swcrc: false, jsc: { target: 'es2022' }, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: ['node_modules/(?!(?:.*/)?(?:cookie|content-disposition)/)', '\\.pnp\\.'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  workerIdleMemoryLimit: '1GB',
  maxWorkers: 2,
};
