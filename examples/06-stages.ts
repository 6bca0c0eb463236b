// The pipeline of 06-stages.yaml: stages one after another, with a job that is tried again and one
// that may fail. Nothing of it is in code but the definition that its jobs name. Prints:
//
//   make upload is done
//   release succeeded
//   ├─ build succeeded
//   │  └─ compile succeeded
//   ├─ check succeeded
//   │  ├─ unit succeeded, attempt 2
//   │  ├─ spelling failed
//   │  └─ licences succeeded
//   └─ publish succeeded
//      └─ upload succeeded

import { createClient, task, toTreeLines } from "kantoku";
import { openNode } from "kantoku/runtime";
import { z } from "zod";
import { readPipelineFile } from "../cli/pipeline-file.ts";

// Not a real shell: what it cannot do, and what it cannot do the first time, is written here.
const broken = ["make spelling"];
const flaky = ["make test"];

const shell = task(
  "shell",
  { input: z.object({ command: z.string() }) },
  ({ command }, { attempt }) => {
    if (broken.includes(command) || (flaky.includes(command) && attempt === 1)) {
      throw new Error(`${command} failed`);
    }
    return `${command} is done`;
  },
);

const node = await openNode();
const service = node.service("default");
const kantoku = createClient(service);
await kantoku.work([shell]);

// As `npx ktk apply -f` does it, over a gateway. The same content is the same version everywhere.
const { graph, name = "release" } = readPipelineFile(`${import.meta.dirname}/06-stages.yaml`);
await service.registerPipeline({ name, graph });

const release = await kantoku.submit<string>({ definition: name });
console.log(await release.result());

// A stage is a task that has the tasks of its jobs below it.
for (const { indent, task } of toTreeLines(await kantoku.graph(release.id))) {
  const { attempt } = await kantoku.get(task.id);
  console.log(`${indent}${task.name} ${task.status}${attempt > 1 ? `, attempt ${attempt}` : ""}`);
}

await kantoku.close();
await node.stop();
