import { isStoreError, type StoreFault } from "../../runtime/store/store.ts";

/** The fault that a store's answer rejects with; null when it does not reject. */
export async function faultOf(answer: Promise<unknown>): Promise<StoreFault | null> {
  try {
    await answer;
    return null;
  } catch (error) {
    if (isStoreError(error)) return error.fault;
    throw error;
  }
}
