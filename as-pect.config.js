// The unit tests' memory: as large as the engine's fixed regions, a small table and the tests' own heap need.
const PAGES = 2048;

export default {
  entries: ["tests/unit/**/*.spec.ts"],
  include: [],
  disclude: [/node_modules/],
  reporter: "tools/aspect-reporter.js",
  async instantiate(_memory, createImports, instantiate, binary) {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
    return instantiate(binary, createImports({ env: { memory } }));
  },
  outputBinary: false,
};
