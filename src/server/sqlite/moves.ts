// What the log says of rows that may have left somebody's view: how they were routed before (rule V2).
import type { Json, Row } from '../../core/index.ts'
import type { Move } from '../store.ts'
import { valueOfLiteral } from './codec.ts'
import { integer, text } from './driver.ts'
import type { Connection } from './driver.ts'
import { idJsonOf } from './entity.ts'
import type { Catalog, Entity } from './entity.ts'
import type { ChangesQuery } from './read.ts'
import { imageIn } from './tail.ts'
import type { Segment } from './tail.ts'

/** In (after, to]; the log says it until it is forgotten, folded or not. */
export function movesIn(
  db: Connection,
  catalog: Catalog,
  { entities, after }: ChangesQuery,
  to: number,
): Move[] {
  const routed = entities.flatMap(entity => catalog.byName.get(entity) ?? []).filter(routes)
  if (routed.length === 0 || to <= after) return []
  const rows = db.all(
    `SELECT seq,ent,CAST(id AS TEXT),op,old FROM _syncline_tail WHERE seq>? AND seq<=? AND old IS NOT NULL AND ent IN (${routed.map(entity => entity.ent).join(',')}) ORDER BY seq`,
    after,
    to,
  )
  return rows.flatMap(([seq, ent, id, op, old]): Move[] => {
    const entity = catalog.byEnt.get(integer(ent))
    const image = imageIn(text(op), text(old))
    if (entity === undefined || image === null || id === null) return []
    const native = entity.id.decode(text(id))
    const was = wasOf(entity, image)
    return [
      { entity: entity.info.name, id: native, idJson: idJsonOf(entity.info, native), seq: integer(seq), was },
    ]
  })
}

const routes = ({ info }: Entity): boolean => info.routing.length > 0

function wasOf({ columns }: Entity, image: readonly Segment[]): Row {
  const was: Record<string, Json> = {}
  for (const { column, text: written } of image) {
    const known = columns.get(column)
    const literal = written.slice(written.indexOf(':', JSON.stringify(column).length) + 1)
    if (known !== undefined) was[column] = valueOfLiteral(known, literal)
  }
  return was
}
