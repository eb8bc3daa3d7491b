import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type Column, readColumns } from './read-columns.ts'

/**
 * The schema as Postgres has it, as text that is the same every time: what a review of a migration
 * reads, and what a test compares with the checked-in schema.sql.
 */
export async function dumpSchema(db: Kysely<unknown>): Promise<string> {
  const columns = Map.groupBy(await readColumns(db), (column) => column.table)
  const parts: Lines[] = []
  for (const query of tableParts) parts.push(await readLines(db, query))
  const constraints = await readLines(db, constraintLines)
  const tables = [...columns].map(([name, ofTable]) =>
    [
      createTable(name, ofTable, constraints.get(name) ?? []),
      ...commentsOn(ofTable),
      ...parts.flatMap((lines) => lines.get(name) ?? []),
    ].join('\n'),
  )
  const functions = [...(await readLines(db, functionLines)).values()].flat()
  const roles = [...(await readLines(db, roleLines)).values()].map((lines) => lines.join('\n'))
  return `${[header, ...functions, ...tables, ...roles].join('\n\n')}\n`
}

const header = `-- Written by "pnpm --filter @twilight/database dump" from the migrated database: do not edit.`

type Lines = Map<string, string[]>

async function readLines(db: Kysely<unknown>, query: RawBuilder<Line>): Promise<Lines> {
  const { rows } = await query.execute(db)
  const grouped = Map.groupBy(rows, (row) => row.of)
  return new Map([...grouped].map(([of, lines]) => [of, lines.map(({ line }) => line)]))
}

type Line = { of: string; line: string }

function createTable(name: string, columns: Column[], constraints: string[]): string {
  const lines = columns.map((column) =>
    [
      column.name,
      column.type,
      column.notNull ? 'not null' : '',
      column.identity ? 'generated always as identity' : '',
      column.default ? `default ${column.default}` : '',
    ]
      .filter((word) => word !== '')
      .join(' '),
  )
  return `create table ${name} (\n  ${[...lines, ...constraints].join(',\n  ')}\n);`
}

function commentsOn(columns: Column[]): string[] {
  return columns.flatMap(({ table, name, comment }) =>
    comment ? [`comment on column ${table}.${name} is '${comment.replaceAll("'", "''")}';`] : [],
  )
}

const inPublic = sql`c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`

// Not-null constraints stand at their columns; Postgres 18 lists them here as well, older ones do not.
const constraintLines = sql<Line>`
  select c.relname as "of", format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)) as line
    from pg_constraint k join pg_class c on c.oid = k.conrelid
   where ${inPublic} and k.contype <> 'n'
   order by position(k.contype::text in 'pufxct'), k.conname collate "C"`

const tableParts: RawBuilder<Line>[] = [
  sql`
    select c.relname as "of", format('comment on table %I is %L;', c.relname, obj_description(c.oid)) as line
      from pg_class c where ${inPublic} and obj_description(c.oid) is not null`,
  sql`
    select c.relname as "of", format('alter table %I set (%s);', c.relname, array_to_string(c.reloptions, ', ')) as line
      from pg_class c where ${inPublic} and c.reloptions is not null`,
  sql`
    select c.relname as "of", pg_get_indexdef(i.indexrelid) || ';' as line
      from pg_index i join pg_class c on c.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
     where ${inPublic} and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
     order by x.relname collate "C"`,
  sql`
    select c.relname as "of", pg_get_triggerdef(t.oid, true) || ';' as line
      from pg_trigger t join pg_class c on c.oid = t.tgrelid
     where ${inPublic} and not t.tgisinternal
     order by t.tgname collate "C"`,
  sql`
    select c.relname as "of", format('alter table %I enable row level security;', c.relname) as line
      from pg_class c where ${inPublic} and c.relrowsecurity`,
  sql`
    select c.relname as "of",
           format('create policy %I on %I as %s for %s to %s', p.policyname, c.relname, lower(p.permissive), lower(p.cmd), array_to_string(p.roles, ', '))
           || coalesce(' using ' || p.qual, '') || coalesce(' with check ' || p.with_check, '') || ';' as line
      from pg_policies p join pg_class c on c.relname = p.tablename
     where ${inPublic} and p.schemaname = 'public'
     order by p.policyname collate "C"`,
  sql`
    select "of", format('grant %s on %I to %s;', privileges, "of", string_agg(grantee, ', ' order by grantee collate "C")) as line
      from (select c.relname as "of", coalesce(r.rolname, 'public') as grantee,
                   string_agg(lower(g.privilege_type), ', ' order by g.privilege_type) as privileges
              from pg_class c cross join aclexplode(c.relacl) g left join pg_roles r on r.oid = g.grantee
             where ${inPublic} and g.grantee <> c.relowner
             group by c.relname, r.rolname) as by_role
     group by "of", privileges
     order by privileges`,
  sql`
    select "of", format('grant %s (%s) on %I to %s;', privilege, columns, "of", string_agg(grantee, ', ' order by grantee collate "C")) as line
      from (select c.relname as "of", coalesce(r.rolname, 'public') as grantee,
                   lower(g.privilege_type) as privilege, string_agg(a.attname, ', ' order by a.attnum) as columns
              from pg_class c join pg_attribute a on a.attrelid = c.oid
             cross join aclexplode(a.attacl) g left join pg_roles r on r.oid = g.grantee
             where ${inPublic}
             group by c.relname, r.rolname, g.privilege_type) as by_role
     group by "of", privilege, columns
     order by privilege, columns`,
]

const functionLines = sql<Line>`
  select p.proname as "of",
         pg_get_functiondef(p.oid) || ';'
         || coalesce(format(E'\ncomment on function %s is %L;', p.oid::regprocedure, obj_description(p.oid)), '') as line
    from pg_proc p
   where p.pronamespace = 'public'::regnamespace
   order by p.proname collate "C"`

// The name of the database is left out: it differs from place to place.
const roleLines = sql<Line>`
  select r.rolname as "of", format('alter role %I set %s;', r.rolname, replace(setting, '=', ' = ')) as line
    from pg_db_role_setting s
    join pg_roles r on r.oid = s.setrole
    join pg_database d on d.oid = s.setdatabase and d.datname = current_database()
    cross join unnest(s.setconfig) as setting
   order by r.rolname collate "C", setting collate "C"`
