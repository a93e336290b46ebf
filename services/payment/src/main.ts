import { createService, listen } from '@coffer/service-kit';
import { buildApp } from './app.ts';
import { readConfig } from './config.ts';

const config = readConfig();
const ctx = await createService({ service: 'payment', config });
const { app } = buildApp(ctx, config);
await listen(app, ctx);
