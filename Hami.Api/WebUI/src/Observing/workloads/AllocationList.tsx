import { Anchor, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { WorkloadsDocument, type AllocationFilter, type AllocationSort, type WorkloadsQuery } from '../../Plumbing/asked'
import type { Column } from '../../Plumbing/list/columns'
import { DataList } from '../../Plumbing/list/DataList'
import { useOrder } from '../../Plumbing/list/order'
import { useMoment } from '../../Plumbing/moment'
import { measured, useList } from '../../Plumbing/question'
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
  const question = useList(WorkloadsDocument, { filter, sort: order.sort, descending: order.descending, at }, (answer) => answer.allocations, shown === 'ended' ? {} : { every: measured })
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
            <Anchor component={Link} to={`/workloads/${row.podUid}`} size="sm" truncate display="block" maw={260} title={row.pod} data-testid="workload-link" data-value={row.podUid}>{row.pod}</Anchor>
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
        cell: (row) => <div data-testid="workload-node" data-value={row.node}><NodeLink node={row.node} /></div>,
      },
      { key: 'cards', title: t('workloads.column.cards'), sort: 'DEVICES', width: 150, cell: (row) => <div data-testid="workload-devices" data-value={row.devices}><SharesPopup row={row} /></div> },
      { key: 'memory', title: t('workloads.column.memory'), sort: 'MEMORY', align: 'right', width: 80, cell: (row) => <span data-testid="workload-memory" data-value={row.memoryMiB}>{units.memory(row.memoryMiB)}</span> },
      { key: 'compute', title: t('workloads.column.compute'), sort: 'CORES', align: 'right', width: 100, cell: (row) => <span data-testid="workload-cores" data-value={row.cores}>{t('workloads.cards', { count: row.cores / 100, formatted: units.cards(row.cores) })}</span> },
      ...(shown === 'ended' ? [] : [{ key: 'use', title: t('workloads.column.use'), align: 'right' as const, width: 80, cell: (row: Row) => <UseNow usage={row.usage} /> }]),
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
      {
        key: 'waited', title: t('workloads.column.waited'), sort: 'WAITED', width: 100,
        cell: (row) => (row.waitingSince ? <Time id="workload-waited" from={row.waitingSince} until={row.placedAt} /> : <Text size="sm" c="dimmed" style={{ whiteSpace: 'nowrap' }}>{t('workloads.atOnce')}</Text>),
      },
      { key: 'held', title: t('workloads.column.held'), sort: 'HELD', width: 110, cell: (row) => <Time id="workload-held" from={row.placedAt} until={until(row)} /> },
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

/** How long something took, with its milliseconds for who compares them. */
function Time({ id, from, until }: { id: string; from: string; until: string | Date }) {
  return <span data-testid={id} data-value={new Date(until).getTime() - new Date(from).getTime()}>{units.since(from, until)}</span>
}
