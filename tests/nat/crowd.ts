/** Many pieces of work, of which few run at a time. */

/** One piece of work. Those that share a word of `needs` never run at the same time. */
export interface Task {
  readonly needs: readonly string[];
  /** Resolves when the next task may use what this one needs. */
  readonly run: () => Promise<void>;
}

/** Runs all tasks, at most `limit` at a time, in about their order. @throws what the first failing one throws */
export async function runCrowd(tasks: readonly Task[], limit: number): Promise<void> {
  const waiting = [...tasks];
  const busy = new Set<string>();
  const running = new Set<Promise<void>>();
  while (waiting.length > 0 || running.size > 0) {
    for (let index = 0; index < waiting.length && running.size < limit;) {
      const task = waiting[index];
      if (task === undefined || task.needs.some((need) => busy.has(need))) {
        index++;
        continue;
      }
      waiting.splice(index, 1);
      for (const need of task.needs) busy.add(need);
      const work = task.run().finally(() => {
        running.delete(work);
        for (const need of task.needs) busy.delete(need);
      });
      running.add(work);
    }
    await Promise.race(running);
  }
}
