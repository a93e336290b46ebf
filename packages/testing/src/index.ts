export * from './client.ts';
export * from './factories.ts';
export * from './http.ts';
export * from './processes.ts';
export * from './raw.ts';
export * from './shapes.ts';
export * from './stack.ts';
export * from './wait.ts';
