export * from './options.ts';
export * from './report.ts';
export * from './statistics.ts';
