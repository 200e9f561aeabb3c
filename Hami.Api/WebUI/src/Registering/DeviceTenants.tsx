import { Badge } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { HoldersNowQuery } from '../Plumbing/asked'
import type { Column } from '../Plumbing/list/columns'
import { DataList } from '../Plumbing/list/DataList'
import { Meter } from '../Plumbing/Meter'
import { Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { PodLink } from './PodLink'
import { rowsOf, useSorted, type Value } from '../Plumbing/list/rows'
import { Section } from './Section'
import { Time } from './Time'
import type { Tenant } from './tenants'

type Allocation = NonNullable<HoldersNowQuery['allocations']['items'][number]>

interface Row extends Tenant {
  allocation: Allocation | undefined
}

const values = {
  pod: (row: Row) => `${row.namespace}/${row.pod}`,
  container: (row: Row) => row.container,
  owner: (row: Row) => row.allocation?.ownerName,
  phase: (row: Row) => ['PLACED', 'BOUND', 'ATTACHED'].indexOf(row.phase ?? ''),
  memory: (row: Row) => row.memoryMiB,
  inUse: (row: Row) => units.share(row.usage?.memoryUsedMiB, row.memoryMiB),
  cores: (row: Row) => row.cores,
  busy: (row: Row) => row.usage?.busy,
  mig: (row: Row) => row.mig?.start,
  since: (row: Row) => row.allocation?.placedAt,
} satisfies Record<string, (row: Row) => Value>

/** Who holds which part of a device: the same facts as in the drawing, as a list. */
export function DeviceTenants({ question, tenants, allocations, isMig }: { question: UseQueryResult<unknown>; tenants: Tenant[]; allocations: Map<string, Allocation>; isMig: boolean }) {
  const { t } = useTranslation('registering')
  const all = useMemo(() => tenants.map((tenant): Row => ({ ...tenant, allocation: allocations.get(tenant.allocationId) })), [tenants, allocations])
  const { rows, order } = useSorted(all, values, 'memory', true)
  const columns = useMemo<Column<Row>[]>(
    () => [
      { key: 'pod', title: t('column.pod'), sort: 'pod', width: 190, cell: (row) => <PodLink of={row} id="tenant-link" /> },
      { key: 'container', title: t('column.container'), sort: 'container', width: 110, cell: (row) => row.container },
      ...(isMig ? [{ key: 'mig', title: t('column.instance'), sort: 'mig', width: 130, cell: (row: Row) => (row.mig ? `${row.mig.profile} @ ${row.mig.start}` : units.unknown) }] : []),
      { key: 'phase', title: t('column.phase'), sort: 'phase', width: 110, cell: (row) => (row.phase ? <Badge variant="dot" miw="max-content" color={row.phase === 'ATTACHED' ? 'teal' : 'blue'}>{t(`phase.${row.phase}`)}</Badge> : units.unknown) },
      { key: 'memory', title: t('column.memoryHeld'), sort: 'memory', width: 100, align: 'right', cell: (row) => <span data-testid="tenant-memory" data-value={row.memoryMiB}>{units.memory(row.memoryMiB)}</span> },
      { key: 'inUse', title: t('column.inUse'), sort: 'inUse', width: 160, cell: (row) => <Meter label={t('column.inUse')} part={row.usage?.memoryUsedMiB} whole={row.memoryMiB} text={row.usage ? units.memoryOf(row.usage.memoryUsedMiB, row.memoryMiB) : ''} /> },
      { key: 'compute', title: t('column.computeHeld'), sort: 'cores', width: 100, align: 'right', cell: (row) => <span data-testid="tenant-cores" data-value={row.cores}>{units.percent(row.cores)}</span> },
      { key: 'busy', title: t('column.busy'), sort: 'busy', width: 120, align: 'right', cell: (row) => units.percent(row.usage?.busy) },
      { key: 'owner', title: t('column.owner'), sort: 'owner', width: 150, cell: (row) => (row.allocation?.ownerKind ? `${row.allocation.ownerKind} ${row.allocation.ownerName}` : units.unknown) },
      { key: 'since', title: t('column.since'), sort: 'since', width: 180, cell: (row) => <Time at={row.allocation?.placedAt} /> },
    ],
    [t, isMig],
  )
  return (
    <Section title={t('tenants.title')}>
      <DataList name="tenants" label={t('tenants.title')} columns={columns} question={rowsOf(question, rows)} rowKey={(row) => row.key} order={order} withSearch={false} empty={<Empty title={t('empty.tenants')} />} height={420} />
    </Section>
  )
}
