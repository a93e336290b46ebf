import { createService, listen } from '@coffer/service-kit';
import { buildApp } from './app.ts';
import { readConfig } from './config.ts';

const config = readConfig();
const ctx = await createService({ service: 'worker', config });
await listen(await buildApp(ctx, config), ctx);
