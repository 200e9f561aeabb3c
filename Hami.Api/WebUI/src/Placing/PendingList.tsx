import { Anchor, Button, Drawer, Group, Stack, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { PendingPodsDocument, WouldFitDocument, type PendingPodsQuery, type PendingSort } from '../Plumbing/asked'
import { Choice } from '../Plumbing/list/Choice'
import { useNamespaces } from '../Plumbing/list/choices'
import type { Column } from '../Plumbing/list/columns'
import { DataList } from '../Plumbing/list/DataList'
import { FilterBox } from '../Plumbing/list/FilterBox'
import { useOrder } from '../Plumbing/list/order'
import { useMoment } from '../Plumbing/moment'
import { useList, useQuestion } from '../Plumbing/question'
import { Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useSetUrl, useUrl } from '../Plumbing/url'
import { asksOf, askText } from './asks'
import { Reasons } from './Reason'
import { reasonWords } from './reasons'
import { Waiting } from './Waiting'

type Row = NonNullable<PendingPodsQuery['pendingPods']['items'][number]>

/** The pods that wait for cards. One of them (`pod` in the address) tells beside the list why, card by card. */
export function PendingList() {
  const { t } = useTranslation('placing')
  const { at } = useMoment()
  const set = useSetUrl()
  const [namespace] = useUrl('namespace')
  const [reason] = useUrl('reason')
  const [search] = useUrl('q')
  const [pod] = useUrl('pod')
  const order = useOrder<PendingSort>('REFUSED_AT', true)
  const question = useList(PendingPodsDocument, { filter: { namespace, reason, search }, sort: order.sort, descending: order.descending, at }, (answer) => answer.pendingPods)
  const columns = useColumns()
  const namespaces = useNamespaces()
  const isFiltered = !!(namespace || reason)
  return (
    <>
      <DataList
        name="pending"
        label={t('list.label')}
        columns={columns}
        question={question}
        rowKey={(row) => row.podUid}
        order={order}
        filters={
          <>
            <FilterBox label={t('column.namespace')} value={namespace} choices={namespaces} onChange={(next) => set({ namespace: next })} />
            <Choice label={t('column.reasons')} value={reason} options={reasonWords.map((word) => ({ value: word, label: t(`reasons.${word}.name`) }))} onChange={(next) => set({ reason: next })} width={230} />
          </>
        }
        empty={
          isFiltered ? (
            <Empty title={t('list.noneSuch')} action={<Button size="xs" mt="xs" variant="default" onClick={() => set({ namespace: undefined, reason: undefined })}>{t('list.clear')}</Button>} />
          ) : (
            <Empty title={t('list.empty')} hint={t('list.emptyHint')} />
          )
        }
      />
      <Drawer
        opened={!!pod}
        onClose={() => set({ pod: undefined, find: undefined })}
        position="right"
        size="min(100vw, 860px)"
        title={t('waiting.title')}
        closeButtonProps={{ 'aria-label': t('waiting.close') }}
      >
        {pod && <Waiting key={pod} podUid={pod} />}
      </Drawer>
    </>
  )
}

function useColumns(): Column<Row>[] {
  const { t, i18n } = useTranslation('placing')
  const { at } = useMoment()
  const set = useSetUrl()
  return useMemo<Column<Row>[]>(
    () => [
      {
        key: 'pod',
        title: t('column.pod'),
        sort: 'POD',
        width: 130,
        cell: (row) => (
          <>
            <Anchor component={Link} to={`/workloads/${row.podUid}`} size="sm" style={{ overflowWrap: 'anywhere' }} data-testid="pending-link" data-value={row.podUid}>{row.pod}</Anchor>
            <Text size="xs" c="dimmed">{row.namespace}</Text>
          </>
        ),
      },
      {
        key: 'why',
        title: t('column.why'),
        width: 80,
        cell: (row) => <Button size="compact-sm" variant="light" data-testid="pending-why" aria-label={t('list.whyOf', { pod: `${row.namespace}/${row.pod}` })} onClick={() => set({ pod: row.podUid }, { push: true })}>{t('list.why')}</Button>,
      },
      {
        key: 'asks',
        title: t('column.asks'),
        sort: 'ASKS',
        width: 150,
        cell: (row) => asksOf(row.ask).map((container) => <Text key={container.name} size="sm" data-testid="pending-ask" data-value={[container.count, container.memoryMiB, container.cores].join(' ')}>{askText(t, container)}</Text>),
      },
      {
        key: 'since',
        title: t('column.since'),
        sort: 'SINCE',
        width: 110,
        cell: (row) => {
          const since = row.live?.createdAt ?? row.refusedAt
          return (
            <>
              <Text size="sm" style={{ whiteSpace: 'nowrap' }}>{units.since(since, at ?? new Date())}</Text>
              <Text size="xs" c="dimmed">{units.moment(since)}</Text>
            </>
          )
        },
      },
      {
        key: 'reasons',
        title: t('column.reasons'),
        sort: 'REASONS',
        width: 300,
        cell: (row) => (
          <>
            <Group gap={4} mb={2}><Reasons reasons={row.reasons} /></Group>
            <Text size="xs" lang="en">{row.message}</Text>
          </>
        ),
      },
      { key: 'reasonsSince', title: t('waiting.reasonsSince'), sort: 'REFUSED_AT', width: 170, isExtra: true, cell: (row) => units.moment(row.refusedAt) },
      { key: 'fit', title: t('column.fit'), width: 220, cell: (row) => <FirstFit podUid={row.podUid} /> },
    ],
    // Numbers are written in another way when the language changes.
    [t, i18n.language, at, set],
  )
}

/** The first thing that would let it fit. It is tried on all nodes for each pod, so it is asked for those in sight alone, and not at every change. */
function FirstFit({ podUid }: { podUid: string }) {
  const { t } = useTranslation('placing')
  const { at } = useMoment()
  const { data } = useQuestion(WouldFitDocument, { podUid, at }, { isDear: true, every: 30_000 })
  const fits = data?.pendingPods.items[0]?.wouldFit
  if (!fits) return <Text size="sm" c="dimmed">{units.unknown}</Text>
  const first = fits[0]
  return (
    <Stack gap={0}>
      {first ? <Text size="sm" lang="en">{first}</Text> : <Text size="sm" c="dimmed">{t('waiting.nothingAlone')}</Text>}
      {fits.length > 1 && <Text size="xs" c="dimmed">{t('list.moreFits', { count: fits.length - 1 })}</Text>}
    </Stack>
  )
}
