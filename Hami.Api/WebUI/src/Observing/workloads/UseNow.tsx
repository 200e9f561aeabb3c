import { Text } from '@mantine/core'
import { useYou } from '../../Access/Gate'
import { UseOnNodeDocument } from '../../Plumbing/asked'
import { useMoment } from '../../Plumbing/moment'
import { measured, useQuestion } from '../../Plumbing/question'
import * as units from '../../Plumbing/units'

/**
 * What a pod does now with what it holds. It is asked by the node, once for all its pods in sight, and of nodes in sight alone.
 * A dash where it is not known: at a past moment, where no agent tells, or to who may not see nodes.
 */
export function UseNow({ allocationId, node, isHeld }: { allocationId: string; node: string; isHeld: boolean }) {
  const you = useYou()
  const { isNow } = useMoment()
  const { data } = useQuestion(UseOnNodeDocument, { node }, { enabled: isNow && isHeld && you.nodes, every: measured })
  const usage = isNow && isHeld ? data?.nodes.items[0]?.allocations.find((held) => held.id === allocationId)?.usage : undefined
  if (!usage) return <Text size="sm" c="dimmed">{units.unknown}</Text>
  return (
    <>
      <Text size="sm">{units.percent(usage.busy)}</Text>
      <Text size="xs" c="dimmed">{units.memory(usage.memoryUsedMiB)}</Text>
    </>
  )
}
