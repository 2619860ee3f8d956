// as-pect's summary, and after each file one line that tools/test.js counts by.
import { SummaryReporter } from "@as-pect/core";

class CountingReporter extends SummaryReporter {
  onFinish(suite) {
    super.onFinish(suite);
    const skipped = suite.rootNode.groupTodos.length;
    const failed = suite.testCount - suite.testPassCount;
    // A group that fails outside of its tests, or a file that runs none, is a failure as well.
    const broken = failed === 0 && (!suite.pass || suite.testCount === 0) ? 1 : 0;
    this.stdout.write(`# as-pect ${suite.testPassCount} ${failed + broken} ${skipped}\n`);
  }
}

export default new CountingReporter();
