// The same as in JavaScript, through the bundler: the suite puts that file beside this one.
import type { Answer, Event } from "paddlewheel";
import * as interpreter from "./interpreter.js";

export const init: (config: { program: string }) => void = interpreter.init;

export const transform: (event: Event) => Answer = interpreter.transform;
