import { uuidv7 } from "uuidv7";

/** A fresh time-ordered id: neighbours in time are neighbours in an index. */
export const newId: () => string = uuidv7;
