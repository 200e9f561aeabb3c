import { Anchor, SegmentedControl, Stack, Table, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { OverviewTopNodesDocument, type NodeSort, type OverviewTopNodesQuery } from '../../Plumbing/asked'
import { Meter } from '../../Plumbing/Meter'
import { useMoment } from '../../Plumbing/moment'
import { Panel } from '../../Plumbing/Page'
import { useQuestion } from '../../Plumbing/question'
import { Answered } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'
import { useUrl } from '../../Plumbing/url'

type Node = NonNullable<OverviewTopNodesQuery['nodes']['items'][number]>

interface Top {
  sort: NodeSort
  part: (node: Node) => number | null | undefined
  whole: (node: Node) => number | null | undefined
  text: (node: Node) => string
}

const tops = {
  compute: {
    allocated: { sort: 'USED_CORES_PERCENT', part: (n) => n.usedCores, whole: (n) => n.cores, text: (n) => units.cardsOf(n.usedCores, n.cores) },
    used: { sort: 'BUSY', part: (n) => n.usage?.busy, whole: () => 100, text: () => '' },
  },
  memory: {
    allocated: { sort: 'USED_MEMORY_PERCENT', part: (n) => n.usedMemoryMiB, whole: (n) => n.memoryMiB, text: (n) => units.memoryOf(n.usedMemoryMiB, n.memoryMiB) },
    used: { sort: 'MEMORY_IN_USE', part: (n) => n.usage?.memoryUsedMiB, whole: (n) => n.usage?.memoryTotalMiB, text: (n) => units.memoryOf(n.usage?.memoryUsedMiB, n.usage?.memoryTotalMiB) },
  },
} satisfies Record<string, Record<'allocated' | 'used', Top>>

/** The fullest or busiest nodes. */
export function TopNodes({ of }: { of: 'compute' | 'memory' }) {
  const { t } = useTranslation('observing')
  const { at, isNow } = useMoment()
  const [chosen, choose] = useUrl(of === 'compute' ? 'topCompute' : 'topMemory')
  // What a node used at a past moment is in its trend, not in a list.
  const by = isNow && chosen === 'used' ? 'used' : 'allocated'
  const top: Top = tops[of][by]
  const question = useQuestion(OverviewTopNodesDocument, { at, sort: top.sort }, { every: by === 'used' ? 10_000 : undefined })
  const title = t(of === 'compute' ? 'overview.topCompute' : 'overview.topMemory')
  return (
    <Panel
      title={title}
      actions={
        <SegmentedControl
          size="xs" aria-label={title} value={by} onChange={(value) => choose(value === 'used' ? value : undefined)}
          data={[{ value: 'allocated', label: t('overview.allocated') }, { value: 'used', label: t('overview.used'), disabled: !isNow }]}
        />
      }
    >
      <Answered question={question}>
        {({ nodes }) => {
          const known = nodes.items.filter((node) => node !== null).filter((node) => top.part(node) != null)
          if (known.length === 0) return <Text size="sm" c="dimmed">{t('overview.notTold')}</Text>
          return (
            <Stack gap="xs" component="ol" m={0} p={0} style={{ listStyle: 'none' }} data-testid={`overview-top-${of}`}>
              {known.map((node) => (
                <li key={node.name} data-testid={`overview-top-${of}-${node.name}`} data-value={top.part(node)}>
                  <Anchor component={Link} to="/nodes/$node" params={{ node: node.name } as never} size="sm" fw={500}>{node.name}</Anchor>
                  <Meter label={node.name} part={top.part(node)} whole={top.whole(node)} text={top.text(node)} />
                </li>
              ))}
            </Stack>
          )
        }}
      </Answered>
    </Panel>
  )
}

/** The nodes with most pods. */
export function MostPods() {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const question = useQuestion(OverviewTopNodesDocument, { at, sort: 'PODS' as NodeSort })
  return (
    <Panel title={t('overview.topPods')}>
      <Answered question={question}>
        {({ nodes }) => (
          <Table verticalSpacing={6} aria-label={t('overview.topPods')}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th w={40}>#</Table.Th>
                <Table.Th>{t('overview.node')}</Table.Th>
                <Table.Th ta="right">{t('overview.workloads')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {nodes.items.filter((node) => node !== null).map((node, i) => (
                <Table.Tr key={node.name}>
                  <Table.Td>{i + 1}</Table.Td>
                  <Table.Td><Anchor component={Link} to="/nodes/$node" params={{ node: node.name } as never} size="sm">{node.name}</Anchor></Table.Td>
                  <Table.Td ta="right"><Anchor component={Link} to="/workloads" search={{ node: node.name } as never} size="sm" data-testid={`overview-pods-${node.name}`} data-value={node.pods}>{units.count(node.pods)}</Anchor></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Answered>
    </Panel>
  )
}
