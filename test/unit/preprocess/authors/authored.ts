/** Functions as authors write them, and what goes in. */
interface Page {
  readonly body: string;
  readonly tags?: readonly string[];
}

const object = {
  method({ body }: Page) {
    const shout = (text: string): string => text.toUpperCase();
    return { text: shout(body) };
  },
};

function declared(page: Page): { words: Record<string, number> } {
  const words: Record<string, number> = {};
  function count(word: string): void {
    words[word] = (words[word] ?? 0) + 1;
  }
  for (const word of page.body.split(" ")) count(word);
  return { words };
}

const authored: Readonly<Record<string, (page: Page) => unknown>> = {
  arrow: ({ body }: Page) => ({ text: body }),
  expression: (page: Page) => ({ ...page, size: page.body.length as number }),
  method: object.method,
  declared,
  branches: ({ body, tags = ["none"] }: Page) => {
    if (body === "") return null;
    const kind = body.length > 5 ? "long" : "short";
    const first = (tags[0] && tags[0] !== "") || "none";
    switch (kind) {
      case "long":
        return { kind, first, tags: tags?.map((tag) => `#${tag}`) };
      default:
        return { kind };
    }
  },
  classes: (page: Page) => {
    class Counter {
      #count = 0;
      add(more: number): this {
        this.#count += more;
        return this;
      }
      get count(): number {
        return this.#count;
      }
    }
    const each = function* (text: string): Generator<string> {
      yield* text;
    };
    return { count: new Counter().add([...each(page.body)].length).count };
  },
};

const page: Page = { body: "to be or not to be", tags: ["play"] };

export interface Authored {
  readonly name: string;
  readonly source: string;
  readonly input: unknown;
  readonly output: unknown;
}

/** Each function's text as it is where this runs, and what the function returns there. */
export function readAuthored(): Authored[] {
  return Object.entries(authored).map(([name, write]) => ({
    name,
    source: write.toString(),
    input: page,
    output: write(page),
  }));
}
