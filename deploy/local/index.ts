export { type EngineProcess, type Engines, provideEngines } from './engines/index.ts';
export { type Stack, type StackOptions, startStack } from './stack.ts';
