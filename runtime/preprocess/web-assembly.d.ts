// Node has it and its types do not; `dom`, which does, would bring a window and a document along.
declare namespace WebAssembly {
  class Module {
    private constructor();
  }
  class Memory {
    constructor(size: { initial: number; maximum: number });
  }
  function compile(bytes: Uint8Array): Promise<Module>;
}
