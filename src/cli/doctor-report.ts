/** What `lcm-portrait doctor` found, as data and as text. */

/**
 * `ok`: as it should be. `note`: the main job runs, but less well or less fast than it could. `problem`: the main
 * job cannot run.
 */
type Verdict = 'ok' | 'note' | 'problem';

/** One thing that was looked at. */
export interface Finding {
  readonly topic: string;
  readonly verdict: Verdict;
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
  /** The same as numbers and names, for programs. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** All findings, in the order in which they are read. */
export interface DoctorReport {
  readonly findings: readonly Finding[];
}

/** Whether nothing keeps the main job from running. */
export function isReady(report: DoctorReport): boolean {
  return report.findings.every((finding) => finding.verdict !== 'problem');
}

/** A line for each finding, its advice below it, and the conclusion. */
export function formatReport(report: DoctorReport): string {
  const width = Math.max(0, ...report.findings.map((finding) => finding.topic.length));
  const lines = report.findings.flatMap(({ topic, verdict, found, advice }) => [
    `${verdict.padEnd(7)}  ${topic.padEnd(width)}  ${found}`,
    ...(advice === undefined ? [] : [`${' '.repeat(width + 11)}→ ${advice}`]),
  ]);
  const problems = report.findings.filter((finding) => finding.verdict === 'problem');
  const conclusion =
    problems.length === 0
      ? 'Videos can be made here.'
      : `No video can be made here yet: see ${problems.map((finding) => finding.topic).join(', ')}.`;
  return `${lines.join('\n')}\n\n${conclusion}\n`;
}
