import { createOutbox, type ServiceContext } from '@coffer/service-kit';
import { Claims } from '../domain/claims.ts';
import { Hints } from '../domain/hints.ts';
import { Recent } from '../domain/recent.ts';
import { Turns } from '../domain/turns.ts';
import { FigureCounter } from '../store/figures.ts';
import { Graveyard } from '../store/graveyard.ts';
import { Ledger } from '../store/ledger.ts';
import { LimitStore } from '../store/limits.ts';
import { LinkStore } from '../store/links.ts';
import { Lists } from '../store/lists.ts';
import type { Database } from '../store/mongo.ts';
import { MoveLocks } from '../store/moves.ts';
import { NodeStore } from '../store/nodes.ts';
import { NumberStore } from '../store/numbers.ts';
import { metadataOutbox } from '../store/outbox.ts';
import { Sweeper } from '../store/sweeper.ts';
import { UsageStore } from '../store/usage.ts';
import { Background } from './background.ts';
import { Finder } from './finder.ts';
import { watchSpace } from './limits.ts';
import { LinkPasswords } from './link-passwords.ts';
import type { RenewBlobs, Tree } from './tree.ts';

/** How patient the background work is. Thresholds decide only how soon; correctness rests on none of them (see each). */
export interface Patience {
  /** Pass of the background work. */
  everyMs?: number;
  /** Age at which an unsettled write is taken for abandoned. */
  abandonedAfterMs?: number;
  /** How long a doomed folder's document is kept for children that are still on their way. */
  lateChildMs?: number;
  /** Age at which a folder move is taken for abandoned. */
  moveLeaseMs?: number;
  /** How long settled batches wait for a write to go along with. */
  settleIdleMs?: number;
  /** How often the payment service is asked for limits that no event brought. */
  limitsEveryMs?: number;
}

// About 1 KB of heap each (measured).
const MAX_HINTS = 50_000;
const RECENT_MS = 1_000;
// Far longer than any request lives: its client gives up after 30 s, and so does the driver.
const LATE_CHILD_MS = 60_000;

export function assembleTree(
  ctx: ServiceContext,
  database: Database,
  o: { freeLimitBytes: number; maxVersions: number; renewBlobs: RenewBlobs; patience?: Patience },
): { tree: Tree; background: Background } {
  const { logger } = ctx;
  const patience = o.patience ?? {};
  const hints = new Hints(MAX_HINTS);
  const recentSpace = new Recent<number>(RECENT_MS);
  const nodes = new NodeStore(database);
  const usage = new UsageStore(database, o.freeLimitBytes);
  const limits = new LimitStore(database, usage);
  const links = new LinkStore(database);
  const outbox = createOutbox(ctx, metadataOutbox(database));
  const graveyard = new Graveyard(database, usage);
  const { abandonedAfterMs: afterMs, moveLeaseMs: leaseMs, settleIdleMs: idleMs, everyMs } = patience;
  const tree: Tree = {
    nodes,
    usage,
    limits,
    links,
    linkPasswords: new LinkPasswords(links),
    graveyard,
    hints,
    logger,
    lists: new Lists(database),
    numbers: new NumberStore(database),
    ledger: new Ledger(usage, logger, {
      ...given({ idleMs }),
      sawFree: (id, bytes) => recentSpace.saw(id, bytes),
      onTaken: (id, seen) => watchSpace({ limits, outbox, logger }, id, seen),
    }),
    sweeper: new Sweeper(database, usage, graveyard, logger, given({ afterMs })),
    figures: new FigureCounter(database),
    locks: new MoveLocks(database, usage, given({ leaseMs })),
    finder: new Finder(nodes, usage, hints),
    turns: new Turns(),
    claims: new Claims(),
    recentSpace,
    recentFolders: new Recent(RECENT_MS),
    outbox,
    renewBlobs: o.renewBlobs,
    maxVersions: o.maxVersions,
    lateChildMs: patience.lateChildMs ?? LATE_CHILD_MS,
    wake: () => background.wake(),
  };
  const background = new Background(tree, ctx.shutdown.signal, given({ everyMs }));
  ctx.metrics.gauge('metadata_hints', 'Children that are hinted at', () => hints.size);
  return { tree, background };
}

/** Without the members that are undefined. */
function given<T extends Record<string, number | undefined>>(o: T): { [K in keyof T]?: number } {
  const entries = Object.entries(o).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: number }; // What was filtered is what the type allows to miss.
}
