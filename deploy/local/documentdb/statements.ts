import type { Statement } from './backend.ts';

// How the extension is asked (its SQL functions take a database's name and the command's BSON). $2 is always the command as it came:
// made anew, it would have other number types, which `getMore` for one refuses.
const bson = '::bytea::documentdb_core.bson';
const texts = {
  insert: `select p_result::bytea from documentdb_api.insert($1, $2${bson}, $3::bytea::documentdb_core.bsonsequence, null)`,
  update: `select p_result::bytea from documentdb_api.update($1, $2${bson}, $3::bytea::documentdb_core.bsonsequence, null)`,
  delete: `select p_result::bytea from documentdb_api.delete($1, $2${bson}, $3::bytea::documentdb_core.bsonsequence, null)`,
  findAndModify: `select p_result::bytea from documentdb_api.find_and_modify($1, $2${bson}, null)`,
  count: `select document::bytea from documentdb_api.count_query($1, $2${bson})`,
  distinct: `select document::bytea from documentdb_api.distinct_query($1, $2${bson})`,
  validate: `select document::bytea from documentdb_api.validate($1, $2${bson})`,
  create: `select documentdb_api.create_collection_view($1, $2${bson})::bytea`,
  // The `_background` form returns before the index is there.
  createIndexes: `select documentdb_api_internal.create_indexes_non_concurrently($1, $2${bson}, true)::bytea`,
  dropIndexes: `call documentdb_api.drop_indexes($1, $2${bson}, null)`,
  collMod: `select documentdb_api.coll_mod($1, $3, $2${bson})::bytea`,
  collStats: 'select documentdb_api.coll_stats($1, $2)::bytea',
  dbStats: 'select documentdb_api.db_stats($1)::bytea',
  listDatabases: `select documentdb_api.list_databases($1${bson})::bytea`,
  drop: 'select documentdb_api.drop_collection($1, $2)::text',
  dropDatabase: 'select documentdb_api.drop_database($1)::text',
  find: `select cursorpage::bytea, continuation::bytea from documentdb_api.find_cursor_first_page($1, $2${bson}, $3)`,
  aggregate: `select cursorpage::bytea, continuation::bytea from documentdb_api.aggregate_cursor_first_page($1, $2${bson}, $3)`,
  listIndexes: `select cursorpage::bytea, continuation::bytea from documentdb_api.list_indexes_cursor_first_page($1, $2${bson}, $3)`,
  listCollections: `select cursorpage::bytea, continuation::bytea from documentdb_api.list_collections_cursor_first_page($1, $2${bson}, $3)`,
  getMore: `select cursorpage::bytea, continuation::bytea from documentdb_api.cursor_get_more($1, $2${bson}, $3${bson})`,
  killCursors: 'select documentdb_api_internal.delete_cursors($1::bigint[])::text',
  indexName: `select (index_spec).index_name, (index_spec).index_key::bytea from documentdb_api_catalog.collection_indexes where index_id = $1`,
  indexKey: `select i.index_id::text, (i.index_spec).index_key::bytea from documentdb_api_catalog.collection_indexes i
    join documentdb_api_catalog.collections c using (collection_id)
    where c.database_name = $1 and c.collection_name = $2 and (i.index_spec).index_name = $3`,
} as const;

export type StatementName = keyof typeof texts;

export const statements = Object.fromEntries(
  Object.entries(texts).map(([name, text]) => [name, { name, text }]),
) as Record<StatementName, Statement>; // fromEntries forgets the keys
