/** A table of rights: each route × who asks × what is open to all × how rights were given, held against a rule written down here alone. */
import {
  type Client,
  eachOf,
  type GeneralAccess,
  type Node,
  type Person,
  type Reply,
  uniqueName,
} from '../src/index.ts';

export const WHO = ['owner', 'editor', 'viewer', 'stranger', 'anonymous'] as const;
export type Who = (typeof WHO)[number];
export const GENERAL: readonly GeneralAccess[] = ['restricted', 'viewer', 'editor'];
/** On the node itself, on a folder two levels above it, or to nobody by name (general access is then set on the node itself). */
export const GIVEN = ['direct', 'inherited', 'none'] as const;
export type Given = (typeof GIVEN)[number];

export type Outcome = 'allowed' | 'hidden' | 'forbidden' | 'unauthorized';

/** What a right is needed for; `own` is for the tree's owner alone, `account` for whoever has one, `operator` for none of these people. */
export type Needs = 'read' | 'change' | 'own' | 'account' | 'operator';

export interface World {
  readonly general: GeneralAccess;
  readonly given: Given;
  /** To prepare what is asked about. */
  readonly ownerClient: Client;
  /** The uppermost folder. */
  readonly team: Node;
  readonly folder: Node;
  readonly file: Node;
  /** A file of its own for what changes it. */
  readonly changed: Node;
  /** A file with an older version. */
  readonly versioned: Node;
  readonly version: string;
  /** Path of a file from the owner's root. */
  readonly path: string;
  /** A new node to do something to that is done once only, with the same rights as the others. */
  victim(kind: 'file' | 'folder'): Promise<Node>;
}

/** Who asks, and the client that says so. */
export interface Asker {
  readonly who: Who;
  readonly client: Client;
  /** A file in a tree of their own; anonymous has someone else's. */
  readonly source: Node;
}

export interface Route {
  readonly name: string;
  readonly needs: Needs;
  /** Whether it can be asked without logging in, and then shows what is open to all. Default: no. */
  readonly openToAnonymous?: boolean;
  /** Where this door says the same of two of them. */
  readonly tells?: Partial<Record<Outcome, Outcome>>;
  ask(world: World, asker: Asker): Promise<Reply>;
  /** How an answer counts; by default its status does. Throws for one that is neither. */
  judge?(reply: Reply, world: World): Outcome;
}

const RANK = { restricted: 0, viewer: 1, editor: 2, owner: 3 } as const;

/** The rule: owner > editor > viewer > nobody; the highest of what was given and what is open counts. */
export function expected(
  route: Pick<Route, 'needs' | 'openToAnonymous'>,
  who: Who,
  world: Pick<World, 'general' | 'given'>,
): Outcome {
  if (who === 'anonymous') {
    if (route.openToAnonymous !== true || route.needs !== 'read') return 'unauthorized';
    return world.general === 'restricted' ? 'unauthorized' : 'allowed';
  }
  if (route.needs === 'account') return 'allowed';
  if (route.needs === 'operator') return 'forbidden';
  if (route.needs === 'own') return who === 'owner' ? 'allowed' : 'hidden';
  const byName = who === 'owner' ? 3 : world.given !== 'none' && who !== 'stranger' ? RANK[who] : 0;
  const rank = Math.max(byName, RANK[world.general]);
  if (rank === 0) return 'hidden';
  return route.needs === 'read' || rank >= 2 ? 'allowed' : 'forbidden';
}

export function byStatus({ status, body }: Reply): Outcome {
  if (status >= 200 && status < 300) return 'allowed';
  if (status === 404) return 'hidden';
  if (status === 403) return 'forbidden';
  if (status === 401) return 'unauthorized';
  throw new Error(`${status} ${body.toString().slice(0, 300)}`);
}

/** Nine worlds, one for each kind of openness and giving, all in the owner's tree. */
export async function someWorlds(owner: Person, editor: Person, viewer: Person): Promise<World[]> {
  const kinds = GENERAL.flatMap((general) => GIVEN.map((given) => ({ general, given })));
  return await eachOf(
    kinds,
    9,
    async ({ general, given }) => await someWorld(owner.client, { editor, viewer }, general, given),
  );
}

async function someWorld(
  client: Client,
  { editor, viewer }: { editor: Person; viewer: Person },
  general: GeneralAccess,
  given: Given,
): Promise<World> {
  const open = async (id: string): Promise<void> => {
    if (general !== 'restricted') await client.updateNode(id, { generalAccess: general });
    if (given === 'none') return;
    await client.grant(id, editor.account.id, 'editor');
    await client.grant(id, viewer.account.id, 'viewer');
  };
  const team = await client.createFolder('root', uniqueName('team'));
  const middle = await client.createFolder(team.id, 'middle');
  if (given === 'inherited') await open(team.id);
  const make = async (kind: Node['kind'], name: string): Promise<Node> => {
    const node =
      kind === 'folder' ? await client.createFolder(middle.id, name) : await client.putChild(middle.id, name, 'bytes');
    if (given !== 'inherited') await open(node.id);
    return await client.node(node.id);
  };
  const [folder, file, changed, versioned] = await Promise.all([
    make('folder', 'folder'),
    make('file', 'file'),
    make('file', 'changed'),
    make('file', 'versioned'),
    make('file', 'by path'),
  ]);
  await client.replaceContent(versioned.id, 'more bytes');
  const [version] = await client.versions(versioned.id);
  return {
    general,
    given,
    ownerClient: client,
    team,
    folder,
    file,
    changed,
    versioned,
    version: version?.id ?? '',
    path: `${team.name}/middle/by path`,
    victim: (kind) => make(kind, uniqueName('victim')),
  };
}

export interface Cell {
  readonly name: string;
  readonly wanted: Outcome;
  /** What came, where it is something else. */
  readonly wrong?: string;
}

/** Asks everything, many at a time. */
export async function tryAll(
  routes: readonly Route[],
  worlds: readonly World[],
  askers: readonly Asker[],
): Promise<Cell[]> {
  const cells = routes.flatMap((route) => worlds.flatMap((world) => askers.map((asker) => ({ route, world, asker }))));
  return await eachOf(cells, 24, async ({ route, world, asker }) => {
    const name = `${route.name} by ${asker.who}, open: ${world.general}, given: ${world.given}`;
    const judged = expected(route, asker.who, world);
    const wanted = route.tells?.[judged] ?? judged;
    try {
      const reply = await route.ask(world, asker);
      const outcome = (route.judge ?? byStatus)(reply, world);
      return outcome === wanted ? { name, wanted } : { name, wanted, wrong: outcome };
    } catch (error) {
      return { name, wanted, wrong: String(error) };
    }
  });
}
