import { Text } from '@mantine/core'
import type { WorkloadsQuery } from '../../Plumbing/asked'
import * as units from '../../Plumbing/units'

type Usage = NonNullable<WorkloadsQuery['allocations']['items'][number]>['usage']

/** What a pod does now with what it holds; a dash where that is not known: at a past moment, or where no agent tells. */
export function UseNow({ usage }: { usage: Usage }) {
  if (!usage) return <Text size="sm" c="dimmed">{units.unknown}</Text>
  return (
    <>
      <Text size="sm">{units.percent(usage.busy)}</Text>
      <Text size="xs" c="dimmed">{units.memory(usage.memoryUsedMiB)}</Text>
    </>
  )
}
