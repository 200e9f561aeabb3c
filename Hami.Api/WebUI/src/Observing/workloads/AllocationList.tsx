import { Anchor, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { WorkloadsDocument, type AllocationFilter, type AllocationSort, type WorkloadsQuery } from '../../Plumbing/asked'
import type { Column } from '../../Plumbing/list/columns'
import { DataList } from '../../Plumbing/list/DataList'
import { useOrder } from '../../Plumbing/list/order'
import { useMoment } from '../../Plumbing/moment'
import { useList } from '../../Plumbing/question'
import { Empty } from '../../Plumbing/states'
import * as units from '../../Plumbing/units'
import { NodeLink } from './NodeLink'
import { ownerText } from './owner'
import { SharesPopup } from './SharesPopup'
import { StatusBadge } from './StatusBadge'
import { UseNow } from './UseNow'
import { Filters } from './Filters'

type Row = NonNullable<WorkloadsQuery['allocations']['items'][number]>

export type Shown = 'held' | 'ended' | 'all'

/** What pods hold, or held, of cards. */
export function AllocationList({ shown, filter }: { shown: Shown; filter: AllocationFilter }) {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const order = useOrder<AllocationSort>(shown === 'ended' ? 'RELEASED_AT' : 'PLACED_AT', true)
  const question = useList(WorkloadsDocument, { filter, sort: order.sort, descending: order.descending, at }, (answer) => answer.allocations)
  const columns = useColumns(shown)
  const owners = question.rows.flatMap((row: Row) => ownerText(row.ownerKind, row.ownerName) ?? [])
  return (
    <DataList
      name={`workloads-${shown}`}
      label={t('workloads.label')}
      columns={columns}
      question={question}
      rowKey={(row) => row.id}
      order={order}
      filters={<Filters withEnded={shown !== 'held'} owners={owners} />}
      empty={<Empty title={t(`workloads.empty.${shown}`)} hint={t(`workloads.emptyHint.${shown}`)} />}
    />
  )
}

function useColumns(shown: Shown): Column<Row>[] {
  const { t, i18n } = useTranslation('observing')
  const { at } = useMoment()
  return useMemo<Column<Row>[]>(() => {
    const until = (row: Row) => row.releasedAt ?? at ?? new Date()
    const time = (value: string | null | undefined) => <Text size="sm" style={{ whiteSpace: 'nowrap' }}>{units.moment(value)}</Text>
    const released: Column<Row> = { key: 'releasedAt', title: t('workloads.column.releasedAt'), sort: 'RELEASED_AT', width: 170, cell: (row) => time(row.releasedAt) }
    return [
      {
        key: 'pod',
        title: t('workloads.column.pod'),
        sort: 'POD',
        width: 170,
        cell: (row) => (
          <>
            <Anchor component={Link} to={`/workloads/${row.podUid}`} size="sm" truncate display="block" maw={260} title={row.pod}>{row.pod}</Anchor>
            <Text size="xs" c="dimmed">{row.namespace}</Text>
          </>
        ),
      },
      { key: 'status', title: t('workloads.column.status'), sort: 'PHASE', width: 100, cell: (row) => <StatusBadge of={row} /> },
      ...(shown === 'ended' ? [released] : []),
      {
        key: 'node',
        title: t('workloads.column.node'),
        sort: 'NODE',
        width: 80,
        cell: (row) => <NodeLink node={row.node} />,
      },
      { key: 'cards', title: t('workloads.column.cards'), sort: 'DEVICES', width: 150, cell: (row) => <SharesPopup row={row} /> },
      { key: 'memory', title: t('workloads.column.memory'), sort: 'MEMORY', align: 'right', width: 80, cell: (row) => units.memory(row.memoryMiB) },
      { key: 'compute', title: t('workloads.column.compute'), sort: 'CORES', align: 'right', width: 100, cell: (row) => t('workloads.cards', { count: row.cores / 100, formatted: units.cards(row.cores) }) },
      ...(shown === 'ended' ? [] : [{ key: 'use', title: t('workloads.column.use'), align: 'right' as const, width: 80, cell: (row: Row) => <UseNow allocationId={row.id} node={row.node} isHeld={!row.releasedAt} /> }]),
      {
        key: 'owner',
        title: t('workloads.column.owner'),
        sort: 'OWNER',
        width: 110,
        cell: (row) =>
          row.ownerName ? (
            <>
              <Anchor component={Link} to="/workloads" search={{ show: 'all', namespace: row.namespace, owner: ownerText(row.ownerKind, row.ownerName) } as never} size="sm" truncate display="block" maw={180} title={row.ownerName}>
                {row.ownerName}
              </Anchor>
              <Text size="xs" c="dimmed">{row.ownerKind}</Text>
            </>
          ) : (
            <Text size="sm" c="dimmed">{units.unknown}</Text>
          ),
      },
      { key: 'placedAt', title: t('workloads.column.placedAt'), sort: 'PLACED_AT', width: 170, cell: (row) => time(row.placedAt) },
      { key: 'waited', title: t('workloads.column.waited'), width: 100, cell: (row) => (row.waitingSince ? units.since(row.waitingSince, row.placedAt) : <Text size="sm" c="dimmed" style={{ whiteSpace: 'nowrap' }}>{t('workloads.atOnce')}</Text>) },
      { key: 'held', title: t('workloads.column.held'), width: 110, cell: (row) => units.since(row.placedAt, until(row)) },
      ...(shown === 'all' ? [released] : []),
      { key: 'attachedAt', title: t('workloads.column.attachedAt'), sort: 'ATTACHED_AT', width: 170, isExtra: true, cell: (row) => time(row.attachedAt) },
      { key: 'containers', title: t('workloads.column.containers'), sort: 'CONTAINERS', align: 'right', width: 100, isExtra: true, cell: (row) => units.count(row.containers) },
      {
        key: 'images',
        title: t('workloads.column.images'),
        width: 240,
        isExtra: true,
        cell: (row) => <Text size="xs" style={{ overflowWrap: 'anywhere' }}>{row.live ? [...new Set(row.live.containers.map((container) => container.image))].join(', ') : units.unknown}</Text>,
      },
    ]
    // Numbers are written in another way when the language changes.
  }, [t, i18n.language, at, shown])
}
