import { type Kysely, sql } from 'kysely'

/** Every column of every table in "public", in the order of the tables' names and the columns' places. */
export async function readColumns(db: Kysely<unknown>): Promise<Column[]> {
  const { rows } = await sql<Column>`
    select c.relname as "table",
           a.attname as name,
           format_type(a.atttypid, a.atttypmod) as type,
           a.attnotnull as "notNull",
           pg_get_expr(d.adbin, d.adrelid) as "default",
           a.attidentity <> '' as identity,
           col_description(c.oid, a.attnum) as comment,
           (select pg_get_constraintdef(k.oid) from pg_constraint k
             where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
               and pg_get_constraintdef(k.oid) like '% = ANY (ARRAY[%') as choices
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
     order by c.relname collate "C", a.attnum`.execute(db)
  return rows
}

export type Column = {
  table: string
  name: string
  type: string
  notNull: boolean
  default: string | null
  identity: boolean
  comment: string | null
  /** The check that lists the allowed words, if there is one. */
  choices: string | null
}
