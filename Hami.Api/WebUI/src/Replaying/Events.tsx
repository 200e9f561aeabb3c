import { Anchor, Badge, Button, Code, MultiSelect, Text } from '@mantine/core'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { EventsDocument, type EventsQuery } from '../Plumbing/asked'
import { useNamespaces, useNodes } from '../Plumbing/list/choices'
import type { Column } from '../Plumbing/list/columns'
import { DataList } from '../Plumbing/list/DataList'
import { FilterBox } from '../Plumbing/list/FilterBox'
import { useOrder } from '../Plumbing/list/order'
import { useMoment } from '../Plumbing/moment'
import { useList } from '../Plumbing/question'
import { Empty } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { useSetUrl, useUrl } from '../Plumbing/url'
import { EventDrawer } from './EventDrawer'
import { concerned, eventTypes, sentence, type EventType } from './happened'
import { NodeLink, PodLink } from './links'
import { MomentPicker } from './MomentPicker'
import { useNames } from './names'
import { justAfter } from './window'

type Row = NonNullable<EventsQuery['events']['items'][number]>

const colours: Partial<Record<EventType, string>> = {
  allocation_placed: 'blue', allocation_adopted: 'blue', allocation_bound: 'cyan', allocation_attached: 'indigo', allocation_released: 'gray', allocation_shrunk: 'gray',
  placement_refused: 'red', preemption_planned: 'pink', node_removed: 'red', device_cordoned: 'pink',
}

export function colourOf(type: string): string {
  return colours[type as EventType] ?? 'grape'
}

/** The log itself, newest first; of a page set to the past, what had happened by then. */
export function Events() {
  const { t } = useTranslation('replaying')
  const moment = useMoment()
  const order = useOrder('POSITION', true)
  const set = useSetUrl()
  const [chosen] = useUrl('types')
  const [namespace] = useUrl('namespace')
  const [node] = useUrl('node')
  const [podUid] = useUrl('pod')
  const [from] = useUrl('from')
  const [to] = useUrl('to')
  const [, open] = useUrl('event')
  const namespaces = useNamespaces()
  const nodes = useNodes()

  const question = useList(
    EventsDocument,
    {
      types: chosen ? chosen.split(',') : undefined,
      namespace,
      podUid,
      streamStartsWith: node ? `node/${node}/` : undefined,
      from,
      at: untilOf(moment.at, to, Date.now()),
      descending: order.descending,
    },
    (answer) => answer.events,
  )
  const names = useNames(question.rows)

  const columns = useMemo<Column<Row>[]>(
    () => [
      {
        key: 'time', title: t('events.time'), sort: 'POSITION', width: 190,
        cell: (row) => <Anchor component="button" size="sm" style={{ whiteSpace: 'nowrap' }} aria-label={`${units.moment(row.at)}: ${t('events.open', { position: row.position })}`} data-testid="event-open" onClick={() => open(String(row.position))}>{units.moment(row.at)}</Anchor>,
      },
      {
        key: 'kind', title: t('events.kind'), width: 150,
        cell: (row) => <Badge variant="light" color={colourOf(row.type)} tt="none" style={{ flex: 'none' }}>{t(`types.${row.type as EventType}`, { defaultValue: row.type })}</Badge>,
      },
      {
        key: 'what', title: t('events.what'), width: 330,
        cell: (row) => <Text size="sm" lineClamp={2} style={{ overflowWrap: 'anywhere' }}>{sentence(t, row, names)}</Text>,
      },
      {
        key: 'who', title: t('events.who'), width: 180,
        cell: (row) => {
          const whom = concerned(row, names)
          return whom.podUid ? <PodLink podUid={whom.podUid} name={whom.pod ?? whom.podUid.slice(0, 8)} /> : whom.node ? <NodeLink node={whom.node} /> : <Text size="sm">{whom.namespace ?? whom.by ?? units.unknown}</Text>
        },
      },
      { key: 'stream', title: t('events.stream'), width: 160, cell: (row) => <Code style={{ overflowWrap: 'anywhere' }}>{row.stream}</Code> },
      { key: 'position', title: t('events.position'), sort: 'POSITION', width: 100, align: 'right', isExtra: true, cell: (row) => units.count(row.position) },
    ],
    [t, names, open],
  )

  const isFiltered = !!(chosen ?? namespace ?? node ?? podUid ?? from ?? to)
  const clear = <Button size="xs" variant="default" onClick={() => set({ types: undefined, namespace: undefined, node: undefined, pod: undefined, from: undefined, to: undefined })}>{t('events.clear')}</Button>
  return (
    <>
      <DataList
        name="events"
        label={t('events.label')}
        columns={columns}
        question={question}
        rowKey={(row) => String(row.position)}
        order={order}
        withSearch={false}
        height="max(320px, calc(100dvh - 380px))"
        filters={
          <>
            <MultiSelect
              size="xs"
              w={260}
              aria-label={t('events.types')}
              placeholder={chosen ? undefined : t('events.types')}
              data={eventTypes.map((type) => ({ value: type, label: t(`types.${type}`) }))}
              value={chosen ? chosen.split(',') : []}
              onChange={(next) => set({ types: next.join(',') || undefined })}
              searchable
              clearable
              clearButtonProps={{ 'aria-label': t('picker.clear') }}
              hidePickedOptions
            />
            <FilterBox size="xs" label={t('events.namespace')} width={140} value={namespace} choices={namespaces} onChange={(next) => set({ namespace: next })} />
            <FilterBox size="xs" label={t('events.node')} width={120} value={node} choices={nodes} onChange={(next) => set({ node: next })} />
            <FilterBox size="xs" label={t('events.pod')} width={140} value={podUid} choices={[]} onChange={(next) => set({ pod: next })} />
            <MomentPicker size="xs" w={220} aria-label={t('events.from')} placeholder={t('events.from')} clearable at={from} onChoose={(at) => set({ from: at?.toISOString() })} />
            <MomentPicker size="xs" w={220} aria-label={t('events.to')} placeholder={t('events.to')} clearable at={to} onChoose={(at) => set({ to: at?.toISOString() })} />
            {isFiltered && clear}
          </>
        }
        empty={<Empty title={t('events.empty')} hint={t('events.emptyHint')} action={isFiltered ? clear : undefined} />}
      />
      <EventDrawer rows={question.rows} names={names} />
    </>
  )
}

/** Up to when events are asked for; undefined where that is now, or later. */
function untilOf(at: string | undefined, to: string | undefined, now: number): string | undefined {
  const ends = [at && justAfter(at), to].filter((end) => end !== undefined && end !== '' && Date.parse(end) <= now) as string[]
  return ends.sort((a, b) => Date.parse(a) - Date.parse(b))[0]
}
