import { Anchor, SegmentedControl, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { NamespacesDocument, type NamespacesQuery, type QuotaSort } from '../Plumbing/asked'
import type { Column } from '../Plumbing/list/columns'
import { DataList } from '../Plumbing/list/DataList'
import { useOrder } from '../Plumbing/list/order'
import { useMoment } from '../Plumbing/moment'
import { Page } from '../Plumbing/Page'
import { useList } from '../Plumbing/question'
import { Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useSetUrl, useUrl } from '../Plumbing/url'
import { Held } from './namespaces/Held'
import { tightest } from './namespaces/limit'
import { NamespaceDrawer } from './namespaces/NamespaceDrawer'

type Row = NonNullable<NamespacesQuery['quotas']['items'][number]>

/** What namespaces hold of the cards, and what they may. */
export default function NamespacesPage() {
  const { t } = useTranslation('observing')
  const { at } = useMoment()
  const set = useSetUrl()
  const [opened] = useUrl('namespace')
  const [search] = useUrl('q')
  const [limited] = useUrl('limited')
  const order = useOrder<QuotaSort>('USED_MEMORY', true)
  const question = useList(
    NamespacesDocument,
    { at, filter: { search, limited: limited === 'true' ? true : limited === 'false' ? false : undefined }, sort: order.sort, descending: order.descending },
    (answer) => answer.quotas,
  )
  const columns = useMemo<Column<Row>[]>(
    () => [
      { key: 'namespace', title: t('namespaces.namespace'), sort: 'NAMESPACE', width: 160, cell: (row) => <Anchor component={Link} to="." search={((before: object) => ({ ...before, namespace: row.namespace })) as never} size="sm" fw={500} data-testid="namespace-link" data-value={row.namespace}>{row.namespace}</Anchor> },
      { key: 'pods', title: t('namespaces.pods'), sort: 'PODS', width: 70, align: 'right', cell: (row) => <Anchor component={Link} to="/workloads" search={{ namespace: row.namespace } as never} size="sm" title={t('namespaces.workloadsOf', { namespace: row.namespace })} data-testid="namespace-pods" data-value={row.pods}>{units.count(row.pods)}</Anchor> },
      { key: 'devices', title: t('namespaces.devices'), sort: 'DEVICES', width: 70, align: 'right', cell: (row) => <span data-testid="namespace-devices" data-value={row.devices}>{units.count(row.devices)}</span> },
      { key: 'memory', title: t('namespaces.memory'), sort: 'USED_MEMORY', width: 190, cell: (row) => <div data-testid="namespace-memory-used" data-value={row.usedMemoryMiB}><Held of="memory" label={t('namespaces.memory')} part={row.usedMemoryMiB} limit={tightest(row.limits.map((limit) => limit.memoryMiB))} /></div> },
      { key: 'cores', title: t('namespaces.cores'), sort: 'USED_CORES', width: 150, cell: (row) => <div data-testid="namespace-cores-used" data-value={row.usedCores}><Held of="cores" label={t('namespaces.cores')} part={row.usedCores} limit={tightest(row.limits.map((limit) => limit.cores))} /></div> },
      { key: 'roomMemory', title: t('namespaces.roomMemory'), sort: 'ROOM_MEMORY', width: 120, align: 'right', cell: (row) => <span data-testid="namespace-memory-room" data-value={row.roomMemoryMiB ?? ''}>{row.roomMemoryMiB == null ? <NoLimit /> : units.memory(row.roomMemoryMiB)}</span> },
      { key: 'roomCores', title: t('namespaces.roomCores'), sort: 'ROOM_CORES', width: 120, align: 'right', cell: (row) => <span data-testid="namespace-cores-room" data-value={row.roomCores ?? ''}>{row.roomCores == null ? <NoLimit /> : units.cards(row.roomCores)}</span> },
      { key: 'quotas', title: t('namespaces.quotas'), sort: 'LIMITS', width: 110, isExtra: true, cell: (row) => row.limits.map((limit) => limit.name).join(', ') || units.unknown },
    ],
    [t],
  )
  return (
    <Page title={t('namespaces.title')}>
      <DataList
        name="namespaces"
        label={t('namespaces.label')}
        columns={columns}
        question={question}
        rowKey={(row) => row.namespace}
        order={order}
        filters={
          <SegmentedControl
            size="xs" aria-label={t('namespaces.limited')} value={limited === 'true' || limited === 'false' ? limited : ''} onChange={(value) => set({ limited: value || undefined })}
            data={[{ value: '', label: t('namespaces.all') }, { value: 'true', label: t('namespaces.withQuota') }, { value: 'false', label: t('namespaces.withoutQuota') }]}
          />
        }
        empty={<Empty title={t('namespaces.empty')} hint={t('namespaces.emptyHint')} />}
      />
      <NamespaceDrawer namespace={opened} close={() => set({ namespace: undefined })} />
    </Page>
  )
}

function NoLimit() {
  const { t } = useTranslation('observing')
  return <Text span size="xs" c="dimmed">{t('namespaces.noLimit')}</Text>
}
