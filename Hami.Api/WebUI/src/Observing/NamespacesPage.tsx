import { Anchor, SegmentedControl, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { useYou } from '../Access/Gate'
import { NamespaceHoldingsDocument, NamespacesDocument, type NamespacesQuery, type QuotaSort } from '../Plumbing/asked'
import type { Column } from '../Plumbing/list/columns'
import { DataList } from '../Plumbing/list/DataList'
import { useOrder } from '../Plumbing/list/order'
import { useMoment } from '../Plumbing/moment'
import { Page } from '../Plumbing/Page'
import { useList, useQuestion } from '../Plumbing/question'
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
  const { nodes: seesNodes } = useYou()
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
  // How many pods and cards only who sees nodes is told, of the hundred namespaces that hold most.
  const holdings = useQuestion(NamespaceHoldingsDocument, { at }, { enabled: seesNodes }).data?.cluster.namespaces
  const columns = useMemo<Column<Row>[]>(() => {
    const holds = new Map(holdings?.map((of) => [of.namespace, of]))
    // Who holds nothing is not among them; when there are more than were told, the rest is unknown.
    const none = holdings && holdings.length < 100 ? 0 : undefined
    return [
      { key: 'namespace', title: t('namespaces.namespace'), sort: 'NAMESPACE', width: 160, cell: (row) => <Anchor component={Link} to="." search={((before: object) => ({ ...before, namespace: row.namespace })) as never} size="sm" fw={500}>{row.namespace}</Anchor> },
      { key: 'pods', title: t('namespaces.pods'), width: 70, align: 'right', cell: (row) => <Anchor component={Link} to="/workloads" search={{ namespace: row.namespace } as never} size="sm" title={t('namespaces.workloadsOf', { namespace: row.namespace })}>{units.count(holds.get(row.namespace)?.pods ?? none)}</Anchor> },
      { key: 'devices', title: t('namespaces.devices'), width: 70, align: 'right', cell: (row) => units.count(holds.get(row.namespace)?.devices ?? none) },
      { key: 'memory', title: t('namespaces.memory'), sort: 'USED_MEMORY', width: 190, cell: (row) => <Held of="memory" label={t('namespaces.memory')} part={row.usedMemoryMiB} limit={tightest(row.limits.map((limit) => limit.memoryMiB))} /> },
      { key: 'cores', title: t('namespaces.cores'), sort: 'USED_CORES', width: 150, cell: (row) => <Held of="cores" label={t('namespaces.cores')} part={row.usedCores} limit={tightest(row.limits.map((limit) => limit.cores))} /> },
      { key: 'roomMemory', title: t('namespaces.roomMemory'), sort: 'ROOM_MEMORY', width: 120, align: 'right', cell: (row) => (row.roomMemoryMiB == null ? <NoLimit /> : units.memory(row.roomMemoryMiB)) },
      { key: 'roomCores', title: t('namespaces.roomCores'), sort: 'ROOM_CORES', width: 120, align: 'right', cell: (row) => (row.roomCores == null ? <NoLimit /> : units.cards(row.roomCores)) },
      { key: 'quotas', title: t('namespaces.quotas'), width: 110, isExtra: true, cell: (row) => row.limits.map((limit) => limit.name).join(', ') || units.unknown },
    ]
  }, [t, holdings])
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
