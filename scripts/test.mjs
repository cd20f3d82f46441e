// `npm test [pattern …]`: runs Jest in ESM mode and ends with the plain line `N passed, N failed, N skipped`.
// Of the whole suite, files that failed are run once more by themselves, when nothing else takes the machine's time: what
// passes only then is named, what fails again has failed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare } from './prepare.mjs';

/** More than these have another cause than the machine's load. */
const mostFilesAgain = 5;

await prepare();
const scratch = mkdtempSync(join(tmpdir(), 'galley-test-'));
const patterns = process.argv.slice(2);
const first = runJest(patterns);
const failed = first.files.filter(({ hasFailed }) => hasFailed);
const isWorthMore =
  patterns.length === 0 && first.isComplete && failed.length > 0 && failed.length <= mostFilesAgain;
const again = isWorthMore
  ? runJest(['--runInBand', '--runTestsByPath', ...failed.map(({ path }) => path)])
  : undefined;
if (again) tellUnsteady(failed, again.files);
const kept = again ? first.files.filter(({ hasFailed }) => !hasFailed).concat(again.files) : first.files;
const total = (name) => kept.reduce((sum, file) => sum + file[name], 0);
const isWhole = first.isComplete && (again?.isComplete ?? true);
rmSync(scratch, { recursive: true, force: true });
console.log(
  `${total('passed')} passed, ${total('failed') + (isWhole ? 0 : 1)} failed, ${total('skipped')} skipped`,
);
process.exit(isWhole && !kept.some(({ hasFailed }) => hasFailed) ? 0 : 1);

/** Runs Jest and returns what became of each file; incomplete when Jest itself ended early. */
function runJest(args) {
  const report = join(scratch, 'report.json');
  rmSync(report, { force: true });
  const { status } = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--no-warnings',
      'node_modules/jest/bin/jest.js',
      '--json',
      `--outputFile=${report}`,
      ...args,
    ],
    { stdio: ['inherit', 'ignore', 'inherit'] },
  );
  try {
    const { testResults, numTotalTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
    const files = testResults.map(resultOf);
    const isExplained = status === 0 || files.some(({ hasFailed }) => hasFailed);
    return { files, isComplete: isExplained && files.length === numTotalTestSuites };
  } catch {
    return { files: [], isComplete: false };
  }
}

/** A file that could not be run at all counts as one failed test. */
function resultOf({ name, status, assertionResults }) {
  const names = (wanted) =>
    assertionResults.filter((test) => wanted.includes(test.status)).map((test) => test.fullName);
  const failedTests = names(['failed']);
  const hasFailed = status === 'failed';
  return {
    path: name,
    hasFailed,
    failedTests,
    passed: names(['passed']).length,
    failed: hasFailed ? Math.max(1, failedTests.length) : 0,
    skipped: names(['pending', 'skipped', 'todo', 'disabled']).length,
  };
}

function tellUnsteady(failedFirst, files) {
  for (const { path, failedTests } of failedFirst) {
    const stillFailed = files.find((file) => file.path === path)?.failedTests ?? failedTests;
    for (const test of failedTests) {
      if (!stillFailed.includes(test)) console.log(`Passed only when its file was run again: ${test}`);
    }
  }
}
