import { Text } from '@mantine/core'
import { Meter } from '../../Plumbing/Meter'
import * as units from '../../Plumbing/units'

/** What is held of a limit; without one, what is held. */
export function Held({ of, label, part, limit }: { of: 'memory' | 'cores'; label: string; part: number; limit: number | null }) {
  const write = of === 'memory' ? units.memory : units.cards
  if (limit === null) return <Text size="sm">{write(part)}</Text>
  return <Meter label={label} part={part} whole={limit} text={of === 'memory' ? units.memoryOf(part, limit) : units.cardsOf(part, limit)} />
}
