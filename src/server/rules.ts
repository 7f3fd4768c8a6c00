// What settles a race for rows of an entity, as `decide` takes it. Neighbours: accept, which has it decided; `losses`, which
// says on record what decided.
import type { EntityDefinition, FieldMergeStrategy, Rules } from '../core/index.ts'

const known = new WeakMap<EntityDefinition, Rules>()

const defaults: Rules = { grain: 'entity', strategy: 'last-write-wins', resolver: false }

/** Where a definition says nothing, because no engine's options went into it, the defaults hold. */
export function rulesOf(definition: EntityDefinition | undefined): Rules {
  if (definition === undefined) return defaults
  const found = known.get(definition)
  if (found !== undefined) return found
  const { grain = defaults.grain, strategy = defaults.strategy, resolver } = definition
  const fields: Record<string, FieldMergeStrategy | null> = {}
  for (const [column, rule] of Object.entries(definition.fields))
    if (rule.resolver !== undefined) fields[column] = null
    else if (rule.strategy !== undefined) fields[column] = rule.strategy
  const rules: Rules = {
    ...(Object.keys(fields).length === 0 ? {} : { fields }),
    grain,
    strategy,
    resolver: resolver !== undefined,
  }
  known.set(definition, rules)
  return rules
}
