export * from './auth.ts';
export * from './blob.ts';
export * from './common.ts';
export * from './endpoint.ts';
export * from './errors.ts';
export * from './events.ts';
export * from './metadata.ts';
