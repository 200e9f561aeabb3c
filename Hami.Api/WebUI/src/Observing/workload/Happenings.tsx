import { Button, Group, List, Table, Text, Timeline } from '@mantine/core'
import { Ban, CircleCheck, CircleDashed, CircleX, Flag, Import, Link2, MapPin, Minimize2, Plug, Plus, Swords, type LucideIcon } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { WorkloadQuery } from '../../Plumbing/asked'
import * as units from '../../Plumbing/units'
import type { Happening, Kind } from './timeline'

type Allocation = NonNullable<WorkloadQuery['allocations']['items'][number]>

const icons: Record<Kind, [LucideIcon, string]> = {
  created: [Plus, 'gray'],
  refused: [Ban, 'orange'],
  preemption: [Swords, 'grape'],
  placed: [MapPin, 'blue'],
  adopted: [Import, 'blue'],
  bound: [Link2, 'blue'],
  attached: [Plug, 'teal'],
  shrunk: [Minimize2, 'teal'],
  released: [CircleCheck, 'gray'],
  withdrawn: [CircleX, 'gray'],
  other: [Flag, 'gray'],
}

/** What happened to a pod, when, and how long each step took. */
export function Happenings({ happenings, whyThere, allocations }: { happenings: Happening[]; whyThere: string[]; allocations: Allocation[] }) {
  const { t } = useTranslation('observing')
  const lastPlaced = happenings.findLast((happening) => happening.kind === 'placed')
  return (
    <Timeline bulletSize={26} lineWidth={2} active={happenings.length} data-testid="workload-timeline">
      {happenings.map((happening) => {
        const [Icon, colour] = icons[happening.kind] ?? [CircleDashed, 'gray']
        const because = allocations.find((allocation) => allocation.placedPosition === happening.position)?.because
        return (
          <Timeline.Item
            key={`${happening.kind} ${happening.at} ${happening.position ?? ''}`}
            bullet={<Icon size={14} aria-hidden />}
            color={colour}
            data-testid={`step-${happening.kind}`}
            title={
              <Group gap="xs">
                <Text fw={500} size="sm">{happening.whats.length > 1 ? t('workload.step.refusedTimes', { count: happening.whats.length }) : t(`workload.step.${happening.kind}`)}</Text>
                {happening.after !== undefined && <Text size="xs" c="dimmed">{t('workload.after', { duration: units.duration(happening.after) })}</Text>}
              </Group>
            }
          >
            <Text size="xs" c="dimmed">{units.moment(happening.at)}{happening.until && ` – ${units.moment(happening.until)}`}</Text>
            <Said whats={happening.whats} />
            {happening === lastPlaced && whyThere.length > 0 && (
              <>
                <Text size="xs" fw={500} mt={4}>{t('workload.whyThere')}</Text>
                <First count={5} of={whyThere}>{(shown) => <List size="xs" spacing={2} lang="en" styles={{ itemWrapper: { overflowWrap: 'anywhere' } }}>{shown.map((why) => <List.Item key={why}>{why}</List.Item>)}</List>}</First>
              </>
            )}
            {because && because.runnersUp.length > 0 && (
              <Table w="fit-content" verticalSpacing={2} mt={4} fz="xs" aria-label={t('workload.scores')}>
                <Table.Thead><Table.Tr><Table.Th>{t('workloads.column.node')}</Table.Th><Table.Th ta="right">{t('workload.score')}</Table.Th></Table.Tr></Table.Thead>
                <Table.Tbody>
                  <Table.Tr><Table.Td fw={600}>{allocations.find((allocation) => allocation.placedPosition === happening.position)?.node} ✓</Table.Td><Table.Td ta="right" fw={600}>{because.score}</Table.Td></Table.Tr>
                  {because.runnersUp.map((next) => <Table.Tr key={next.node}><Table.Td>{next.node}</Table.Td><Table.Td ta="right">{next.score}</Table.Td></Table.Tr>)}
                </Table.Tbody>
              </Table>
            )}
          </Timeline.Item>
        )
      })}
    </Timeline>
  )
}

/** The last of several sentences, and the others where somebody wants them. */
function Said({ whats }: { whats: string[] }) {
  return (
    <First count={1} of={[...whats].reverse()}>
      {(shown) => shown.map((what, i) => <Text key={i} size="sm" lang="en" c={i === 0 ? undefined : 'dimmed'} style={{ overflowWrap: 'anywhere' }}>{what}</Text>)}
    </First>
  )
}

/** The first few of many, and a button for the others. */
function First({ count, of, children }: { count: number; of: string[]; children: (shown: string[]) => ReactNode }) {
  const { t } = useTranslation('observing')
  const [isAll, all] = useState(false)
  return (
    <>
      {children(isAll ? of : of.slice(0, count))}
      {of.length > count && <Button size="compact-xs" variant="subtle" aria-expanded={isAll} onClick={() => all(!isAll)}>{isAll ? t('workload.less') : t('workload.more', { count: of.length - count })}</Button>}
    </>
  )
}
