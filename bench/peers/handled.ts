/** Counts the jobs that a queue's handler has seen, so that a submitter can wait for its own. */
export type HandledJobs = { add: (jobs: number) => void; next: (jobs: number) => Promise<void> };

export function countHandledJobs(): HandledJobs {
  let missing = 0;
  let done = () => {};
  return {
    add(jobs) {
      missing -= jobs;
      if (missing === 0) done();
    },
    next(jobs) {
      missing = jobs;
      return new Promise((resolve) => {
        done = resolve;
      });
    },
  };
}
