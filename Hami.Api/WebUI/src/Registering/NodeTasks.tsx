import { Badge } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { NodeTasksDocument, type AllocationSort, type NodeTasksQuery } from '../Plumbing/asked'
import type { Column } from '../Plumbing/list/columns'
import { DataList } from '../Plumbing/list/DataList'
import { useOrder } from '../Plumbing/list/order'
import { useMoment } from '../Plumbing/moment'
import { PageLink } from '../Plumbing/PageLink'
import { useList } from '../Plumbing/question'
import { Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useUrl } from '../Plumbing/url'
import { PodLink } from './PodLink'
import { Section } from './Section'
import { Time } from './Time'

type Row = NonNullable<NodeTasksQuery['allocations']['items'][number]>

/** Who holds a part of a node's devices. */
export function NodeTasks({ node }: { node: string }) {
  const { t } = useTranslation('registering')
  const { at } = useMoment()
  const [search] = useUrl('q')
  const order = useOrder<AllocationSort>('PLACED_AT', true)
  const tasks = useList(NodeTasksDocument, { at, filter: { node, live: true, search }, sort: order.sort, descending: order.descending }, (result) => result.allocations)
  const columns = useMemo<Column<Row>[]>(
    () => [
      { key: 'pod', title: t('column.pod'), sort: 'POD', width: 200, cell: (task) => <PodLink of={task} id="task-link" /> },
      { key: 'owner', title: t('column.owner'), sort: 'OWNER', width: 160, cell: (task) => (task.ownerKind ? `${task.ownerKind} ${task.ownerName}` : units.unknown) },
      { key: 'phase', title: t('column.phase'), sort: 'PHASE', width: 110, cell: (task) => (task.phase ? <Badge variant="dot" miw="max-content" color={task.phase === 'ATTACHED' ? 'teal' : 'blue'}>{t(`phase.${task.phase}`)}</Badge> : units.unknown) },
      { key: 'devices', title: t('column.cards'), sort: 'DEVICES', width: 80, align: 'right', cell: (task) => units.count(task.devices) },
      { key: 'containers', title: t('column.containers'), sort: 'CONTAINERS', width: 100, align: 'right', isExtra: true, cell: (task) => units.count(task.containers) },
      { key: 'memory', title: t('column.memoryHeld'), sort: 'MEMORY', width: 100, align: 'right', cell: (task) => units.memory(task.memoryMiB) },
      { key: 'compute', title: t('column.computeHeld'), sort: 'CORES', width: 90, align: 'right', cell: (task) => units.cards(task.cores) },
      { key: 'placed', title: t('column.placed'), sort: 'PLACED_AT', width: 180, cell: (task) => <Time at={task.placedAt} /> },
    ],
    [t],
  )
  return (
    <Section title={t('tasks.title')} actions={<PageLink to="/workloads" search={{ node }} size="sm">{t('tasks.all')}</PageLink>}>
      <DataList name="node-tasks" label={t('tasks.list')} columns={columns} question={tasks} rowKey={(task) => task.id} order={order} empty={<Empty title={t('empty.tasks')} />} height={420} />
    </Section>
  )
}
