/** Runs `work` while another folder is that for temporary files; nothing else may run in this process meanwhile. */
export async function withTemporary<T>(place: string, work: () => Promise<T>): Promise<T> {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = place;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}
