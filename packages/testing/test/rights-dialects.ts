import { multipart, type RequestOptions, uniqueName } from '../src/index.ts';
import type { Asker, Needs, Outcome, Route, World } from './rights-table.ts';

type Request = [method: string, path: string, options?: RequestOptions];
type Ask = (world: World, asker: Asker) => Request | Promise<Request>;

const NO_ACCESS = "You're not allowed to access, request access";
const NO_ACTION = "You're not allowed to perform this action, request access";

/** This door says to those who may not even look that they may not act, where they wanted to act. */
const cloudbox = (name: string, needs: Needs, request: Ask): Route => ({
  name: `cloudbox.${name}`,
  needs,
  openToAnonymous: true,
  tells: needs === 'read' ? {} : { hidden: 'forbidden' },
  ask: async (world, asker) => {
    const [method, path, options] = await request(world, asker);
    return await asker.client.request(method, `/api/v1/store/${path}`, options);
  },
  judge: (reply): Outcome => {
    if (reply.status < 400) return 'allowed';
    const { error } = reply.json<{ error: string }>();
    if (reply.status === 401 && error === NO_ACCESS) return 'unauthorized';
    if (reply.status === 403 && error === NO_ACCESS) return 'hidden';
    if (reply.status === 403 && error === NO_ACTION) return 'forbidden';
    throw new Error(`${reply.status} ${error}`);
  },
});

/** All refusals are 401 here; the text tells who is not known from who may not. */
const minobject = (name: string, needs: Needs, request: Ask): Route => ({
  name: `minobject.${name}`,
  needs,
  tells: { hidden: 'forbidden' },
  ask: async (world, asker) => await asker.client.request(...(await request(world, asker))),
  judge: (reply): Outcome => {
    if (reply.status < 300) return 'allowed';
    const { error } = reply.json<{ error: string }>();
    if (reply.status !== 401) throw new Error(`${reply.status} ${error}`);
    return error === 'Unauthorized' ? 'forbidden' : 'unauthorized';
  },
});

const form = (): RequestOptions => {
  const { body, contentType } = multipart([{ part: 'file', filename: uniqueName('form'), bytes: 'x' }]);
  return { body, headers: { 'content-type': contentType } };
};
const named = () => ({ json: { name: uniqueName('renamed') } });
const someone = { json: { users: ['nobody-of-this-name@example.org'] } };

/** Every route of the older APIs by which one account can reach what is another's by its id. */
export function dialectRoutes(): Route[] {
  return [
    cloudbox('folder', 'read', ({ folder }) => ['GET', `folders/${folder.id}/`]),
    cloudbox('folderContent', 'read', ({ folder }) => ['GET', `folders/${folder.id}/content/`]),
    cloudbox('file', 'read', ({ file }) => ['GET', `files/${file.id}/`]),
    cloudbox('view', 'read', ({ file }) => ['GET', `files/${file.id}/view/`]),
    cloudbox('download', 'read', ({ file }) => ['GET', `assets/${file.id}/download/`]),
    cloudbox('download of a folder', 'read', ({ folder }) => ['GET', `assets/${folder.id}/download/`]),
    cloudbox('editors', 'read', ({ file }) => ['GET', `assets/${file.id}/editors/`]),
    cloudbox('viewers', 'read', ({ folder }) => ['GET', `assets/${folder.id}/viewers/`]),
    cloudbox('createFolder', 'change', ({ folder }) => ['POST', `folders/${folder.id}/`, named()]),
    cloudbox('upload', 'change', ({ folder }) => ['POST', `files/${folder.id}/`, form()]),
    cloudbox('renameFolder', 'change', async ({ victim }) => [
      'PATCH',
      `folders/${(await victim('folder')).id}/`,
      named(),
    ]),
    cloudbox('renameFile', 'change', async ({ victim }) => ['PATCH', `files/${(await victim('file')).id}/`, named()]),
    cloudbox('deleteFolder', 'change', async ({ victim }) => ['DELETE', `folders/${(await victim('folder')).id}/`]),
    cloudbox('deleteFile', 'change', async ({ victim }) => ['DELETE', `files/${(await victim('file')).id}/`]),
    cloudbox('add_editors', 'change', ({ file }) => ['POST', `assets/${file.id}/editors/`, someone]),
    cloudbox('remove_editors', 'change', ({ file }) => ['DELETE', `assets/${file.id}/editors/`, someone]),
    cloudbox('add_viewers', 'change', ({ folder }) => ['POST', `assets/${folder.id}/viewers/`, someone]),
    cloudbox('remove_viewers', 'change', ({ folder }) => ['DELETE', `assets/${folder.id}/viewers/`, someone]),
    cloudbox('accessType', 'change', async ({ victim, general, given }) => [
      'PATCH',
      `assets/${(await victim('file')).id}/access-type/`,
      // As it is already, where it is the node's own: the answer is about the right alone.
      { json: { access_type: given === 'inherited' ? 'restricted' : general } },
    ]),
    minobject('download', 'read', ({ file }) => ['GET', `/data/file/${file.id}`]),
    minobject('metadata', 'read', ({ file }) => ['GET', `/data/metadata/${file.id}`]),
    minobject('delete', 'change', async ({ victim }) => ['DELETE', `/data/file/${(await victim('file')).id}`]),
  ];
}
